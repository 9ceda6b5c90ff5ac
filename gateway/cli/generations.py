"""gateway policy: the policies that were in force, and the way back to one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.common import (
    EX_CANTCREAT,
    EX_CONFIG,
    EX_NOINPUT,
    Config,
    Json,
    fail,
    local,
    note,
    print_json,
    print_table,
    settings_of,
)
from gateway.cli.speech import heard, say, used
from gateway.cli.tables import Column

if TYPE_CHECKING:
    from gateway.reloader import Generations
    from gateway.reloader.rollback import Kept
    from gateway.settings import Settings

app = typer.Typer(help="The policies that were in force: list, roll back.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(metavar="N", min=1, help="Number of the generation, as in gateway policy list.")]
COLUMNS = (Column("Generation"), Column("Since"), Column("SHA-256", 12, rank=1), Column("State"))
_DIGEST = 16  # hex digits that tell generations apart at a glance; --json has all


def _generations(settings: Settings) -> Generations:
    from gateway.reloader import Generations

    if not settings.policies.is_dir():
        fail(say("{folder}: no such folder", folder=settings.policies), EX_NOINPUT)
    return Generations(settings.state / "policies")


@app.command("list")
def list_(config: Config = None, as_json: Json = False) -> None:
    """List the generations of the policy that are kept, newest first: number, since when, digest, and which is in force.

    The newest is in force. When the files say something else, they have errors or have just been changed.
    """
    from gateway.reloader import kept

    settings = settings_of(config)
    found = kept(settings.policies, _generations(settings))
    if as_json:
        print_json([_plain(each) for each in found])
        return
    print_table(COLUMNS, [_row(each, settings) for each in found], say("No policy has been in force here yet."))
    if found and not found[0].is_in_folder:
        told = say(
            "{folder}: its files are not those in force; gateway check tells whether they can be",
            folder=settings.policies,
        )
        note(told)


def _row(each: Kept, settings: Settings) -> list[str]:
    states = [say("in force")] * each.is_newest + [say("in the folder")] * each.is_in_folder
    return [str(each.generation), local(each.since, settings), each.digest[:_DIGEST], ", ".join(states)]


def _plain(each: Kept) -> dict[str, object]:
    return {
        "generation": each.generation,
        "since": each.since,
        "digest": each.digest,
        "in_force": each.is_newest,
        "in_folder": each.is_in_folder,
    }


@app.command()
def rollback(generation: Number, config: Config = None, as_json: Json = False) -> None:
    """Put a generation's files back into the policy folder; a gateway that runs follows by itself, without a restart.

    What was there is set aside. A generation that cannot be used today is refused, and nothing is changed.
    """
    from gateway.reloader import roll_back

    settings = settings_of(config)
    generations = _generations(settings)
    _refuse_unusable(settings, generations, generation)
    try:
        done = roll_back(settings.policies, generations, generation)
    except OSError as error:
        place, why = error.filename or settings.policies, heard(error.strerror or str(error))
        fail(say("{file} cannot be written: {why}", file=place, why=why), EX_CANTCREAT)
    if as_json:
        print_json(done)
        return
    folder = settings.policies
    if done.aside is None:
        typer.echo(say("{folder}: says the same as generation {n} already", folder=folder, n=generation))
        return
    typer.echo(say("{folder}: generation {n} is back", folder=folder, n=generation))
    for names, told in ((done.written, "written: {names}"), (done.removed, "removed: {names}")):
        if names:
            typer.echo("  " + say(told, names=", ".join(names)))
    typer.echo("  " + say("what was there: {folder}", folder=done.aside))
    note(say("A gateway that runs follows within seconds, under a new number: gateway policy list"))


def _refuse_unusable(settings: Settings, generations: Generations, number: int) -> None:
    from gateway.app import contradictions
    from gateway.reloader import inspect

    folder: Path = generations.path(number)
    if not folder.is_dir():
        numbers = ", ".join(map(str, generations.numbers())) or say("none")
        fail(say("generation {n} is not kept; there are: {numbers}", n=number, numbers=numbers), EX_NOINPUT)
    policy, problems = inspect(folder, datetime.now(UTC))
    wrong = [each.text(used()) for each in problems if each.severity == "error"]
    wrong += map(heard, contradictions(settings, policy))
    if wrong:
        told = say("generation {n} cannot be used today, so nothing was changed:", n=number)
        fail("\n".join([told, *(f"  {line}" for line in wrong)]), EX_CONFIG)
