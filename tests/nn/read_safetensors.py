"""Reads a safetensors file with the standard library alone: the second,
independent reader of the round trips.  Prints one line a metadata entry
("meta KEY VALUE", both as JSON) and one a tensor ("tensor NAME DTYPE SHAPE
NUMBER..."), in the order of the bytes."""

import json
import struct
import sys

FORMATS = {"F32": "f", "F64": "d", "U8": "B", "I8": "b", "I32": "i", "I64": "q"}

with open(sys.argv[1], "rb") as file:
    data = file.read()
(length,) = struct.unpack_from("<Q", data)
header = json.loads(data[8 : 8 + length].decode("utf-8"))
buffer = data[8 + length :]
for key, value in header.pop("__metadata__", {}).items():
    print("meta", json.dumps(key), json.dumps(value))
for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
    begin, end = entry["data_offsets"]
    numbers = [n for (n,) in struct.iter_unpack("<" + FORMATS[entry["dtype"]], buffer[begin:end])]
    shape = "x".join(map(str, entry["shape"])) or "scalar"
    print("tensor", name, entry["dtype"], shape, *map(repr, numbers))
