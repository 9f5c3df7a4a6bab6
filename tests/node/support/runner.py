"""Runs the cases of a folder, each within its time:  python3 -m support.runner FOLDER [OPTION of unittest ...]"""

import os
import sys
import unittest

from . import watchdog
from .cause import PROVED


class TimedResult(unittest.TextTestResult):
    """What is done between two cases (the set-up of a class) counts for the second; if it fails, for itself.

    A failure is told at once, not only at the end, which a run may not reach.
    """

    def addError(self, test, err):
        super().addError(test, err)
        watchdog.arm()
        self.stream.writeln(self._exc_info_to_string(err, test))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.stream.writeln(self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.stream.writeln(self._exc_info_to_string(err, test))

    def stopTest(self, test):
        super().stopTest(test)
        watchdog.arm()


def main(folder, *options):
    watchdog.arm()
    runner = unittest.TextTestRunner(resultclass=TimedResult, verbosity=2)
    argv = ["tests/node/run", "discover", "-s", folder, *options]
    result = unittest.main(module=None, argv=argv, testRunner=runner, exit=False).result
    if PROVED:  # scripts/test makes its table of causes of this
        print(f"causes proved on {os.uname().release}: {' '.join(sorted(PROVED))}", flush=True)
    # A run without a single case proves nothing, and fails.
    return not result.wasSuccessful() or result.testsRun <= len(result.skipped)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
