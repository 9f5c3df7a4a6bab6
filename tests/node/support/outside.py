"""A host that is not on this kernel: whatever leaves by its device is gone. It answers pings."""

import contextlib
import fcntl
import os
import select
import struct
import threading

from .netns import in_netns, network_namespace

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
MAC = "02:00:5e:00:53:02"
ADDRESS = {4: "198.51.100.2", 6: "2001:db8::2"}
NODE_ADDRESS = {4: "198.51.100.1", 6: "2001:db8::1"}


class OutsideHost:
    """Behind the tap device wan0 of `netns`; the frames it got are in `frames`.

    With a bridge, wan0 is its port, and the bridge has the addresses.
    """

    def __init__(self, netns, bridge=None):
        self.frames = []
        self._netns, self._bridge = netns, bridge
        with network_namespace(netns):
            self._tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self._tap, TUNSETIFF, struct.pack("16sH14x", b"wan0", IFF_TAP | IFF_NO_PI))
        self._stop_reader, self._stop = os.pipe()
        commands = ["link set wan0 up"]
        if bridge:
            commands += [f"link add {bridge} type bridge", f"link set {bridge} up", f"link set wan0 master {bridge}"]
        device = bridge or "wan0"
        for family, length in ((4, 24), (6, 64)):
            commands.append(f"addr add {NODE_ADDRESS[family]}/{length} dev {device}" + " nodad" * (family == 6))
            commands.append(f"neigh add {ADDRESS[family]} lladdr {MAC} dev {device} nud permanent")
        in_netns(netns, "ip", "-batch", "-", input="\n".join(commands) + "\n")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        os.write(self._stop, b"x")
        self._thread.join()
        for fd in (self._tap, self._stop, self._stop_reader):
            os.close(fd)
        if self._bridge:
            in_netns(self._netns, "ip", "link", "del", self._bridge)

    def _serve(self):
        while True:
            ready, _, _ = select.select([self._tap, self._stop_reader], [], [])
            if self._stop_reader in ready:
                return
            with contextlib.suppress(BlockingIOError):
                frame = os.read(self._tap, 65536)
                self.frames.append(frame)
                answer = echo_reply(frame)
                if answer:
                    os.write(self._tap, answer)


def echo_reply(frame):
    """The answer to an Ethernet frame with an echo request, None for others. (Checksums do not mind the order.)"""
    ethernet = frame[6:12] + frame[0:6] + frame[12:14]
    ip = frame[14:]
    if frame[12:14] == b"\x08\x00" and ip[9] == 1 and ip[20] == 8:
        checksum = struct.unpack_from("!H", ip, 22)[0] + 0x0800
        answer = bytes([0, ip[21]]) + struct.pack("!H", (checksum & 0xFFFF) + (checksum >> 16))
        return ethernet + ip[:12] + ip[16:20] + ip[12:16] + answer + ip[24:]
    if frame[12:14] == b"\x86\xdd" and ip[6] == 58 and ip[40] == 128:
        checksum = struct.unpack_from("!H", ip, 42)[0] - 0x0100
        answer = bytes([129, ip[41]]) + struct.pack("!H", (checksum - (checksum < 0)) & 0xFFFF)
        return ethernet + ip[:8] + ip[24:40] + ip[8:24] + answer + ip[44:]
    return None


@contextlib.contextmanager
def outside_host(netns, bridge=None):
    host = OutsideHost(netns, bridge)
    try:
        yield host
    finally:
        host.close()
