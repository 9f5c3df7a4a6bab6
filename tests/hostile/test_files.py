"""Files of strangers: what the directory of a container runtime and a recording may hold."""

import pathlib
import struct
import subprocess
import tempfile
import zlib

import support
from support import NodeTest

MIB = 1 << 20
META, NAMES = 1, 2


def chunk(kind, payload):
    crc = zlib.crc32(payload, zlib.crc32(struct.pack("=II", kind, len(payload))))
    return struct.pack("=III", kind, len(payload), crc) + payload


def recording(*names):
    head = b"DPTRACE\n" + struct.pack("=IHH", 0x01020304, 2, 0)
    return head + chunk(META, b'{"pods":[]}') + b"".join(chunk(NAMES, payload) for payload in names)


def filled(entry, size, before=b'{"pods":{', after=b"}}"):
    """JSON of about `size` bytes: entries that differ by what %d stands for."""
    entries = (entry % index for index in range(size // len(entry % 0)))
    return before + b",".join(entries) + after


def many_chunks():
    """Each with other addresses, all of them of names as short as they can be."""
    return [filled(b'"fd00::%x:%%x":""' % index, 2 * MIB) for index in range(32)]


class Recordings(NodeTest):
    """What `show` takes of memory is in proportion to the file, and bounded."""

    def shown(self, content, limit=320 * MIB):
        """What it said on the way to status 1, within so much address space."""
        with tempfile.NamedTemporaryFile(prefix="dptrace-", suffix=".dpt") as file:
            file.write(content)
            file.flush()
            done = subprocess.run(["prlimit", f"--as={limit}", support.DPTRACE, "show", file.name],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_depth_and_width(self):
        for name, content in {
            "length": [b"[" * (64 * MIB)],
            "depth": [b"[" * (15 * MIB)],
            "width": [b'{"pods":[' + b"1," * (7 * MIB) + b"1]}"],
            "objects": [b'{"symbols":[' + b"{}," * (5 * MIB) + b"{}]}"],
            "string": [b'{"node_name":"' + b"x" * (15 * MIB) + b'"}'],
            "names": [filled(b'"fd00::%x":""', 4 * MIB)],
            "names in many chunks": many_chunks(),
        }.items():
            with self.subTest(name):
                content = recording(*content)
                self.assertRegex(self.shown(content), "^dptrace: reading .*(damaged at byte|cut off)")

    def test_numbers_beyond_their_type(self):
        for payload in (b'{"home_netns":4294967296}', b'{"home_netns":-1}', b'{"home_netns":1e300}', b'{"home_netns":1.5}',
                        b'{"wall_clock_offset_ns":9223372036854775807}', b'{"interfaces":[{"index":18446744073709551616}]}'):
            with self.subTest(payload):
                self.assertIn("a chunk's content is wrong", self.shown(recording(payload)))


class Names(NodeTest):
    def test_what_a_recording_calls_things_commands_no_terminal(self):
        sample = pathlib.Path(support.ROOT / "tests/replay/netfilter-drop.dpt").read_bytes()
        changed = sample
        for name in (b"NETFILTER_DROP", b"nf_hook_slow", b"cni0"):
            self.assertIn(name, changed)
        # Of the same length, so that only the checksums are to be made anew.
        changed = b"".join(self.chunks(changed, {b"NETFILTER_DROP": b"\\u001b[2J\\u0007xy"[:14]}))
        with tempfile.NamedTemporaryFile(prefix="dptrace-") as file:
            file.write(changed)
            file.flush()
            for form in ("text", "json"):
                done = support.dptrace("show", "-o", form, file.name)
                self.assertNotRegex(done.stdout + done.stderr, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    @staticmethod
    def chunks(content, replaced):
        yield content[:16]
        at = 16
        while at < len(content):
            kind, length, _ = struct.unpack_from("=III", content, at)
            payload = content[at + 12:at + 12 + length]
            for before, after in replaced.items():
                if kind == NAMES:
                    payload = payload.replace(before, after)
            yield chunk(kind, payload)
            at += 12 + length
