"""Writes OLE containers for tests: a folder tree of streams, as old Office files and Outlook's mails have it."""

from __future__ import annotations

import struct

END, FREE = 0xFFFFFFFE, 0xFFFFFFFF
Tree = dict[str, "bytes | Tree"]


def compound(tree: Tree) -> bytes:
    """Return a version 3 container; streams of less than 4,096 bytes go to the small sectors, as the format asks."""
    entries: list[dict[str, int | str | bytes]] = [{"name": "Root Entry", "kind": 5, "child": FREE}]
    _add(entries, 0, tree)
    mini, minifat, sectors, fat = bytearray(), list[int](), list[bytes](), list[int]()
    for entry in entries:
        data = entry.get("data")
        if not isinstance(data, bytes) or not data:
            entry |= {"start": END, "size": 0}
        elif len(data) < 4096:
            entry |= {"start": len(minifat), "size": len(data)}
            count = -(-len(data) // 64)
            minifat += [*range(len(minifat) + 1, len(minifat) + count), END]
            mini += data.ljust(count * 64, b"\0")
        else:
            entry |= {"start": _store(sectors, fat, data), "size": len(data)}
    entries[0] |= {"start": _store(sectors, fat, bytes(mini)) if mini else END, "size": len(mini)}
    small = struct.pack(f"<{len(minifat)}I", *minifat)
    small = small.ljust(-(-len(small) // 512) * 512, b"\xff")
    small_at = _store(sectors, fat, small) if small else END
    directory = b"".join(map(_packed, entries))
    directory_at = _store(sectors, fat, directory.ljust(-(-len(directory) // 512) * 512, b"\0"))
    fat_at = len(sectors)
    count = -(-(len(fat) + 2) // 127)
    table = fat + [0xFFFFFFFD] * count
    table += [FREE] * (count * 128 - len(table))
    header = struct.pack("<8s16xHHHHH6xIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, count,
                         directory_at, 0, 4096, small_at, len(small) // 512, END, 0, fat_at)  # fmt: skip
    header += struct.pack(f"<{count - 1}I", *range(fat_at + 1, fat_at + count))
    return header.ljust(512, b"\xff") + b"".join(sectors) + struct.pack(f"<{len(table)}I", *table)


def _add(entries: list[dict[str, int | str | bytes]], parent: int, tree: Tree) -> None:
    """Append the entries of a folder; its children hang on one another to the right, which readers accept."""
    last = -1
    for name in sorted(tree, key=lambda n: (len(n), n.upper())):
        value = tree[name]
        number = len(entries)
        entries.append({"name": name, "kind": 2 if isinstance(value, bytes) else 1, "child": FREE, "right": FREE})
        if isinstance(value, bytes):
            entries[number]["data"] = value
        if last < 0:
            entries[parent]["child"] = number
        else:
            entries[last]["right"] = number
        last = number
        if not isinstance(value, bytes):
            _add(entries, number, value)


def _store(sectors: list[bytes], fat: list[int], data: bytes) -> int:
    """Append data as a chain of sectors; return the first."""
    first, count = len(sectors), -(-len(data) // 512)
    sectors += [data[i * 512 : i * 512 + 512].ljust(512, b"\0") for i in range(count)]
    fat += [*range(first + 1, first + count), END]
    return first


def _packed(entry: dict[str, int | str | bytes]) -> bytes:
    """Return one directory entry of 128 bytes."""
    name = str(entry["name"]).encode("utf-16-le") + b"\0\0"
    return struct.pack("<64sHBBIII36xIII", name, len(name), entry["kind"], 1, FREE, entry.get("right", FREE),
                       entry["child"], entry["start"], entry["size"], 0)  # fmt: skip
