"""The state folder and the database in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.doctor.check import Check
from gateway.doctor.files import ENTER, NETWORK, PASSING, READ, WRITE, Mount, may, mode_text, mount_of
from gateway.doctor.finding import Outcome, Text, error, ok, same, skipped, warning
from gateway.doctor.service import Service, group_name, user_name
from gateway.doctor.world import World, in_thread

SPARE: Final = 2 * 1024**3  # octets; below it somebody should look
INODES: Final = 10_000
_WRITTEN: Final = ("blobs", "gateway.db", "gateway.lock", "metrics", "owners", "policies", "spill-", "spool")


async def _folder(world: World) -> Sequence[Outcome]:
    state, who = world.settings.state, world.service
    return [await in_thread(lambda: judge_folder(state, who))]


def judge_folder(state: Path, who: Service) -> Outcome:
    """Owner, mode and rights of the state folder."""
    name = who.user if who.uid else "gateway"
    make = same(f"  install -d -o {name} -g {name} -m 0750 {state}")
    try:
        status = state.stat()
    except FileNotFoundError:
        return warning(Text(f"{state} is not there yet", f"chưa có {state}"), make, folder=str(state))
    except OSError as failure:
        return error(same(f"{state}: {failure.strerror}"), make, folder=str(state))
    if not stat.S_ISDIR(status.st_mode):
        return error(Text(f"{state} is not a folder", f"{state} không phải là thư mục"), make, folder=str(state))
    values = {"folder": str(state), "owner": user_name(status.st_uid), "mode": mode_text(status)}
    shown = f"{values['owner']}:{group_name(status.st_gid)} {values['mode']}"
    if not may(state, who, READ | WRITE | ENTER):
        found = Text(
            f"user {who.user} cannot write to {state} ({shown})",
            f"người dùng {who.user} không ghi được vào {state} ({shown})",
        )
        return error(found, same(f"  chown -R {who.user}: {state}\n  chmod u=rwx {state}"), **values)
    if foreign := _not_his(state, who):
        found = Text(
            f"user {who.user} cannot write to {foreign}: another user has run the gateway, or put a backup back",
            f"người dùng {who.user} không ghi được vào {foreign}: đã có người dùng khác chạy cổng thư hoặc khôi phục dữ liệu",
        )
        return error(found, same(f"  chown -R {who.user}: {state}"), **values)
    if status.st_mode & (stat.S_IRWXO):
        found = Text(f"{state} is open to every user ({shown})", f"{state} mở cho mọi người dùng ({shown})")
        return warning(found, same(f"  chmod o= {state}"), **values)
    return ok(same(f"{state} ({shown})"), **values)


def _not_his(state: Path, who: Service) -> Path | None:
    """The first file or folder in the state that its own user cannot write."""
    try:
        paths = [path for path in sorted(state.iterdir()) if path.name.startswith(_WRITTEN)]
        paths += sorted(state.glob("blobs/*"))
    except OSError:  # we may not look; the service's user may
        return None
    return next((path for path in paths if not _may_write(path, who)), None)


def _may_write(path: Path, who: Service) -> bool:
    try:
        return may(path, who, READ | WRITE)
    except OSError:  # gone meanwhile, or a link to nowhere
        return True


@dataclass(frozen=True, slots=True)
class Room:
    octets: int
    inodes: int  # -1: the file system counts none


def room_in(state: Path) -> Room:
    """What is left for other users than root. Raises OSError."""
    disk = os.statvfs(_there(state))
    return Room(disk.f_bavail * disk.f_frsize, disk.f_favail if disk.f_files else -1)


def _there(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


async def _disk(world: World) -> Sequence[Outcome]:
    largest = max(world.settings.smtp.max_size, world.settings.milter.max_size)
    return [judge_room(await in_thread(lambda: room_in(world.settings.state)), largest, world.settings.state)]


def judge_room(room: Room, largest: int, state: Path) -> Outcome:
    """`largest` message in octets: mail is deferred when there is not place for one and a half of it (F-22)."""
    gib = room.octets / 1024**3
    shown = f"{gib:.1f} GiB" + (f", {room.inodes} inodes" if room.inodes >= 0 else "")
    found = Text(f"{shown} free", f"còn trống {shown}")
    mend = Text(
        f"Make room; see what is large:\n  du -xh --max-depth=2 {state} | sort -h",
        f"Giải phóng chỗ; xem phần chiếm nhiều:\n  du -xh --max-depth=2 {state} | sort -h",
    )
    few = 0 <= room.inodes < INODES
    if room.octets < 2 * largest or 0 <= room.inodes < INODES // 10:
        return error(found, mend, octets=room.octets, inodes=room.inodes)
    if room.octets < max(SPARE, 10 * largest) or few:
        return warning(found, mend, octets=room.octets, inodes=room.inodes)
    return ok(found, octets=room.octets, inodes=room.inodes)


async def _filesystem(world: World) -> Sequence[Outcome]:
    def look() -> Mount:
        return mount_of(_there(world.settings.state), Path("/proc/self/mountinfo").read_text())

    return [judge_mount(await in_thread(look))]


def judge_mount(mount: Mount) -> Outcome:
    found = Text(f"{mount.kind} at {mount.point}", f"{mount.kind} tại {mount.point}")
    values = {"kind": mount.kind, "mount": mount.point}
    mend = Text(
        'Put the state folder on a disk of this machine: in gateway.toml\n  state = "/var/lib/gateway"',
        'Đặt thư mục trạng thái trên đĩa của máy này: trong gateway.toml\n  state = "/var/lib/gateway"',
    )
    if not mount.kind:
        return skipped(Text("its mount is not in the table", "không có trong bảng gắn kết"))
    if mount.kind in NETWORK:
        return error(found, mend, **values)
    if mount.kind in PASSING:
        volume = Text(
            "Held mail must outlive a restart: use a disk, or a volume of the container at the state folder.",
            "Thư bị giữ phải còn sau khi khởi động lại: dùng đĩa, hoặc gắn một volume vào thư mục trạng thái.",
        )
        return warning(found, volume, **values)
    return ok(found, **values)


CHECKS = (
    Check(
        "store.folder",
        Text("State folder", "Thư mục trạng thái"),
        Text(
            "What is answered 250 is kept there; it names people.",
            "Thư đã nhận (250) được giữ ở đó; có thông tin cá nhân.",
        ),
        _folder,
    ),
    Check(
        "store.disk",
        Text("Room on the disk", "Dung lượng đĩa"),
        Text("Without room every message is deferred (452).", "Hết chỗ thì mọi thư bị hoãn (452)."),
        _disk,
    ),
    Check(
        "store.filesystem",
        Text("File system", "Hệ thống tệp"),
        Text(
            "SQLite's write-ahead log does not work over a network: mail would be lost.",
            "Nhật ký ghi trước của SQLite không dùng được qua mạng: có thể mất thư.",
        ),
        _filesystem,
    ),
)
