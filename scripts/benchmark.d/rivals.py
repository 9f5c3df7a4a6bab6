"""The tools that dptrace is measured beside."""

import pathlib
import re

from tracer import Tracer


class Tcpdump(Tracer):
    def __init__(self, name, expression):
        super().__init__(name)
        self.expression = expression

    def command(self, scratch):
        return ["tcpdump", "-i", "any", "-n", "-w", "/dev/null", *self.expression.split()]

    def is_ready(self, running):
        return "listening on" in running.errors()

    def events(self, errors, output):
        taken = re.search(r"(\d+) packets? captured", errors)
        lost = re.search(r"(\d+) packets? dropped by kernel", errors)
        return int(taken[1]) if taken else None, int(lost[1]) if lost else None


class Bpftrace(Tracer):
    """The packet's headers and device at the three tracepoints that dptrace has too."""

    SCRIPT = """
#include <linux/skbuff.h>
#include <linux/ip.h>
tracepoint:net:netif_receive_skb, tracepoint:net:net_dev_start_xmit, tracepoint:skb:kfree_skb {
    $skb = (struct sk_buff *)args->skbaddr;
    $ip = (struct iphdr *)($skb->head + $skb->network_header);
    if ($ip->saddr == ADDRESS || $ip->daddr == ADDRESS) {
        printf("%lld %s %x %x %d\\n", nsecs, probe, $ip->saddr, $ip->daddr, $skb->len);
    }
}
"""
    READY = """
interval:ms:20 { if (!@ready) { @ready = 1; printf("ready\\n"); } }
END { clear(@ready); }
"""
    tells_ready_in_output = True

    def __init__(self, name, address):
        super().__init__(name)
        self.address = "0x" + "".join(f"{int(byte):02x}" for byte in reversed(address.split(".")))

    def program(self):
        return "bpftrace"

    def script(self):
        script = self.SCRIPT.replace("ADDRESS", self.address)
        if pathlib.Path("/sys/kernel/btf/vmlinux").exists():
            script = re.sub("#include.*\n", "", script)
        return script

    def command(self, scratch):
        (scratch / "script.bt").write_text(self.script() + self.READY)
        # Where nobody has mounted tracefs, this does it for bpftrace alone.
        return ["unshare", "--mount", "sh", "-c",
                "[ -d /sys/kernel/tracing/events ] || mount -t tracefs none /sys/kernel/tracing; "
                f"exec bpftrace -B line {scratch}/script.bt"]

    def is_ready(self, running):
        return "ready" in running.output()

    def events(self, errors, output):
        return None, sum(int(count) for count in re.findall(r"Lost (\d+) events", errors))


class BpftraceDrops(Bpftrace):
    """Drops counted by location, which is what `dptrace drops` knows too, and more."""

    def __init__(self, name):
        Tracer.__init__(self, name)

    def script(self):
        return "tracepoint:skb:kfree_skb { @drops[args->location] = count(); }\n"


class Perf(Tracer):
    """perf trace, which cannot filter by address. Loses much of what it is given and says so in its output."""

    EVENTS = "net:*,skb:*"
    reader = ("grep", "-a", "LOST")

    def command(self, scratch):
        return ["perf", "trace", "-a", "-e", self.EVENTS, "-o", "/dev/stdout"]

    def is_ready(self, running):
        # Its buffers are mapped last.
        return "[perf_event]" in pathlib.Path(f"/proc/{running.process.pid}/maps").read_text()

    def events(self, errors, output):
        return None, sum(int(count) for count in re.findall(r"LOST (\d+) events", output))


class Dropwatch(Tracer):
    """Reads commands: "start" holds until SIGINT, and then comes "exit". Needs CONFIG_NET_DROP_MONITOR, and finds it in
    the first network namespace only, where it is told the drops of all."""

    tells_ready_in_output = True
    commands = "start\nexit\n"

    def command(self, scratch):
        return ["nsenter", "--net=/proc/1/ns/net", "sh", "-c",
                "modprobe -q drop_monitor; exec stdbuf -oL dropwatch -l kas"]

    def is_ready(self, running):
        return "monitoring activated" in running.output()


class Pwru(Tracer):
    def __init__(self, name, address):
        super().__init__(name)
        self.address = address

    def command(self, scratch):
        return ["pwru", f"--ready-file={scratch / 'ready'}", "--output-meta", "host", self.address]

    def is_ready(self, running):
        return (running.scratch / "ready").exists()
