"""Certificates, keys and web configurations for the metrics port, in a folder that is gone with its owner."""

import pathlib
import ssl
import tempfile

from .commands import run

PASSWORD = "secret"
# Of that password, by bcrypt with a cost of 10.
HASH = "$2b$10$rGKbwqCOoI/tmekqQV9.JetYYXmJMkbkiMfxLsRSUnQGbwD79LSWy"


class Certificates:
    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="dptrace-")
        self.folder = pathlib.Path(self._folder.name)
        self.authority("ca")

    def path(self, name):
        return self.folder / name

    def authority(self, name):
        self._make(name, f"/CN={name}", "basicConstraints=critical,CA:TRUE")

    def issue(self, name, names="IP:127.0.0.1", by="ca"):
        """NAME.crt and NAME.key: of a server, or of a client, with these names."""
        self._make(name, f"/CN={name}", f"subjectAltName={names}", "basicConstraints=CA:FALSE",
                   signer=["-CA", self.path(f"{by}.crt"), "-CAkey", self.path(f"{by}.key")])

    def _make(self, name, subject, *extensions, signer=()):
        words = [word for extension in extensions for word in ("-addext", extension)]
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", subject, "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.crt"), *signer, *words)
        self.path(f"{name}.key").chmod(0o600)

    def configuration(self, *lines, server="server", users=()):
        """A web configuration with these lines more of tls_server_config."""
        text = [f"tls_server_config:\n  cert_file: {server}.crt\n  key_file: {server}.key\n"]
        text += [f"  {line}\n" for line in lines]
        if users:
            text.append("basic_auth_users:\n")
        text += [f"  {user}: {HASH}\n" for user in users]
        self.path("web.yml").write_text("".join(text))
        return self.path("web.yml")

    def client(self, certificate=None, authority="ca"):
        """What a client trusts and shows."""
        context = ssl.create_default_context(cafile=self.path(f"{authority}.crt"))
        if certificate:
            context.load_cert_chain(self.path(f"{certificate}.crt"), self.path(f"{certificate}.key"))
        return context

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._folder.cleanup()
