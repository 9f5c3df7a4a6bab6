"""BPF, as far as the cases need it."""

import contextlib
import ctypes
import os
import resource
import struct

from .netns import libc


# Before 5.11 maps and programs count as locked memory. Later it does not matter that it may not be raised.
with contextlib.suppress(ValueError):
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Bpf:
    """The system call, without a library: what is attached, and a program of the user's own."""

    _NUMBER = {"x86_64": 321, "aarch64": 280}
    MAP_CREATE, MAP_LOOKUP, PROG_LOAD, OBJ_PIN = 0, 1, 5, 6
    PROG_GET_FD_BY_ID, PROG_QUERY, LINK_CREATE = 13, 16, 28
    TCX_INGRESS, TCX_EGRESS = 46, 47

    @classmethod
    def call(cls, command, attributes):
        data = ctypes.create_string_buffer(attributes.ljust(128, b"\0"))
        result = libc.syscall(cls._NUMBER[os.uname().machine], command, data, len(data))
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result, data.raw

    @classmethod
    def has_program(cls, program_id):
        try:
            fd, _ = cls.call(cls.PROG_GET_FD_BY_ID, struct.pack("I", program_id))
        except FileNotFoundError:
            return False
        os.close(fd)
        return True

    @classmethod
    def tcx_programs(cls, ifindex, attach_type):
        """The ids attached to a device of the current network namespace, in order."""
        ids = (ctypes.c_uint32 * 64)()
        query = struct.pack("IIIIQIIQQQ", ifindex, attach_type, 0, 0, ctypes.addressof(ids), 64, 0, 0, 0, 0)
        try:
            _, answer = cls.call(cls.PROG_QUERY, query)
        except OSError:
            return []
        count = struct.unpack_from("I", answer, 24)[0]
        return list(ids[:count])
