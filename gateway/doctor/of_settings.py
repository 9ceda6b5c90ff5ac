"""Settings, by the code that `gateway check` and `gateway run` use."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.app import contradictions
from gateway.doctor.check import Check
from gateway.doctor.finding import Outcome, Text, error, ok, told, warning
from gateway.doctor.world import World, in_thread
from gateway.settings import advice


async def _settings(world: World) -> Sequence[Outcome]:
    wrong = await in_thread(lambda: contradictions(world.settings, world.rules))
    advised = advice(world.settings)
    return [judge_settings(world.config, wrong, advised)]


def judge_settings(config: str, wrong: Sequence[str], advised: Sequence[str]) -> Outcome:
    """What the settings ask for and cannot have; what may be meant and is dangerous."""
    if wrong:
        mend = Text(
            "Correct these settings, then run:\n  gateway check", "Sửa các cấu hình trên rồi chạy:\n  gateway check"
        )
        return error(told(wrong), mend, problems=list(map(str, wrong)))
    if advised:
        mend = Text(
            "Follow the advice, or leave it where it is what you mean.",
            "Làm theo khuyến nghị, hoặc giữ nguyên nếu đó là chủ định.",
        )
        return warning(told(advised), mend, problems=list(map(str, advised)))
    return ok(Text(f"{config} can be used", f"{config} dùng được"), file=config)


CHECKS = (
    Check(
        "settings.file",
        Text("File of settings", "Tệp cấu hình"),
        Text(
            "The gateway does not start with contradictory settings (exit status 78).",
            "Cổng thư không khởi động khi cấu hình mâu thuẫn (mã thoát 78).",
        ),
        _settings,
    ),
)
