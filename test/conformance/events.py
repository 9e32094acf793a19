"""Runs a command whose output is a subunit stream; prints each event of a test as a line of JSON, the exit code as the last.

Only Debian's Python reads subunit, so this much is Python.
"""
import json
import subprocess
import sys

import subunit
import testtools


class Lines(testtools.StreamResult):
    """What is no event of a test, such as a warning of an import, is dropped."""

    def status(self, test_id=None, test_status=None, file_name=None, file_bytes=None, **_):
        if test_id is None:
            return
        said = bytes(file_bytes or b"").decode("utf8", "replace")
        is_told = file_name == "reason" or (file_name or "").startswith("traceback")
        if test_status is None and not is_told:
            return
        event = {"test": test_id, "status": test_status, "said": said if is_told else ""}
        print(json.dumps(event), flush=True)


with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as command:
    subunit.ByteStreamToStreamResult(command.stdout, non_subunit_name="output").run(Lines())
print(json.dumps({"exit": command.returncode}), flush=True)
