"""The base of the cases: what they assert."""

import sys
import unittest

from .features import has
from .kernel import HAS_REASONS, reason_codes
from .packets import crossings, describe, function_of, hooks
from .trace import Trace


class NodeTest(unittest.TestCase):
    maxDiff = None

    def _callTestMethod(self, method):
        """At most twice again when it fails while the kernel kept hits from dptrace's programs: that proves nothing.

        An interrupt or a preemption in the middle of one is likely on an emulated processor. dptrace tells it; the
        kernel's own count is believed here.
        """
        for _ in range(2):
            before = Trace.missed_by_all()
            try:
                return super()._callTestMethod(method)
            except unittest.SkipTest:
                raise
            except Exception as error:
                missed = Trace.missed_by_all() - before
                if not missed:
                    raise
                print(f"once more: {missed} hits missed, then: {error}", file=sys.stderr)
            self.tearDown()
            self.doCleanups()
            self.setUp()
        return super()._callTestMethod(method)

    def assert_crossings(self, packet, expected):
        self.assertEqual(crossings(packet), expected, describe(packet))

    def assert_hooks(self, packet, expected, family="ipv4"):
        """Where netfilter's hooks cannot be watched, none may be told: what the case saw without them stands alone."""
        seen = expected if has("netfilter hops") else []
        self.assertEqual(hooks(packet, family), seen, describe(packet))

    def assert_delivered(self, packet, expected):
        self.assert_crossings(packet, expected)
        self.assertEqual(packet["verdict"], "delivered", describe(packet))
        self.assertNotIn("drop", packet)

    def assert_dropped(self, packet, way, device, reason, *functions):
        """Dropped at `device` (`name@netns`) after `way`, in one of `functions`."""
        self.assert_crossings(packet, [*way, f"drop {device}"])
        self.assertEqual(packet["verdict"], "dropped")
        drop = packet["drop"]
        self.assertEqual(drop["interface"]["name"], device.split("@")[0], drop)
        self.assertIn(function_of(drop["location"]), functions, drop)
        if HAS_REASONS:
            self.assertEqual(drop["reason"], reason)
            self.assertEqual(drop["reason_code"], reason_codes()[reason])
        else:
            self.assertNotIn("reason", drop)
            self.assertNotIn("reason_code", drop)

    def assert_nothing_lost(self, summary):
        self.assertEqual(summary["events_lost"], 0, summary)
