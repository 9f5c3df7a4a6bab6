"""What a tenant calls things is text of a stranger's: it breaks no scrape and commands no terminal."""

import re
import unicodedata

from support import NodeTest, run, wait_until
from tenant import Tenant
from support.metrics import DROPS, Watch

# Not UTF-8; commands to a terminal; what turns the text behind it; what ends a label; none of it.
DEVICES = [b"\xffa", b"\x1b[2Jb", b"\x07\x7fc", b"\xe2\x80\xaed", b'q"\\e', b"goodf"]


def lose(tenant, device):
    """Five packets without an IP header arrive at a device of that name."""
    name = b"$(printf '" + b"".join(b"\\%03o" % byte for byte in device) + b"')"
    tenant.run(b"d=" + name + b"""; ip link add sender type veth peer name "$d" address 02:00:00:00:00:01
        ip link set "$d" up; ip link set sender up
        python3 -c '
import socket
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("sender", 0))
for _ in range(5):
    sender.send(bytes.fromhex("020000000001" "020000000002" "0800") + bytes(46))'
        """)


class Names(NodeTest):
    def test_a_scrape_is_whole_whatever_a_device_is_called(self):
        # All at the same time: a number of one that has ended would be the next one's.
        tenants = [self.enterContext(Tenant()) for _ in DEVICES]
        with Watch() as watch:
            for tenant, device in zip(tenants, DEVICES):
                lose(tenant, device)
                wait_until(lambda: self.is_counted(watch, device), lambda: f"{device} in {watch.get()[1]}")
            text = watch.get()[1]
            run("promtool", "check", "metrics", input=text)
            for character in text:
                self.assertTrue(character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp"),
                                repr(text))
            self.assertEqual(watch.stop(), 0, watch.stderr())
            self.assertFalse(re.search(r"[^\n -~]", watch.stderr()), repr(watch.stderr()))

    @staticmethod
    def is_counted(watch, device):
        return any(name == DROPS and dict(labels)["interface"].endswith(chr(device[-1])) for name, labels in watch.samples())
