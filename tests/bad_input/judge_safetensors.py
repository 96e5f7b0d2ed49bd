"""A second, independent judge of safetensors files, written from the rules in
RELIABILITY's words, not from the C++: reads files one after the other, each
behind its length as eight bytes (little endian), from the file given, and
prints 1 for good and 0 for bad, one character a file."""

import json
import struct
import sys

SIZES = {"F32": 4, "F64": 8, "U8": 1, "I8": 1, "I32": 4, "I64": 8}


class Bad(Exception):
    pass


def need(condition):
    if not condition:
        raise Bad


def pairs(items):
    keys = [key for key, _ in items]
    need(len(set(keys)) == len(keys))
    return dict(items)


def whole(text):
    need(not text.startswith("-"))
    return int(text)


def refuse(_):
    raise Bad


def is_text(value):
    return isinstance(value, str) and "\0" not in value and value.encode("utf-8") is not None


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**53


def check(data):
    need(len(data) >= 10)
    (length,) = struct.unpack_from("<Q", data)
    need(2 <= length <= 2**24 and length <= len(data) - 8)
    text = data[8 : 8 + length].decode("utf-8")
    need(text[0] == "{" and text.rstrip(" ")[-1] == "}")
    header = json.loads(
        text, object_pairs_hook=pairs, parse_int=whole, parse_float=refuse, parse_constant=refuse
    )
    metadata = header.pop("__metadata__", {})
    need(isinstance(metadata, dict))
    need(all(is_text(k) and is_text(v) for k, v in metadata.items()))
    places = []
    for name, entry in header.items():
        need(is_text(name) and 1 <= len(name.encode("utf-8")) <= 1024)
        need(isinstance(entry, dict) and set(entry) == {"dtype", "shape", "data_offsets"})
        need(entry["dtype"] in SIZES)
        size = SIZES[entry["dtype"]]
        need(isinstance(entry["shape"], list) and len(entry["shape"]) <= 5)
        for extent in entry["shape"]:
            need(is_number(extent) and extent > 0)
            size *= extent
        offsets = entry["data_offsets"]
        need(isinstance(offsets, list) and len(offsets) == 2 and all(map(is_number, offsets)))
        need(offsets[1] - offsets[0] == size)
        places.append(tuple(offsets))
    end = 0
    for begin, stop in sorted(places):
        need(begin == end)
        end = stop
    need(end == len(data) - 8 - length)


def verdict(data):
    try:
        check(data)
        return "1"
    except (Bad, ValueError, TypeError, UnicodeError):
        return "0"


with open(sys.argv[1], "rb") as file:
    while prefix := file.read(8):
        (size,) = struct.unpack("<Q", prefix)
        sys.stdout.write(verdict(file.read(size)))
