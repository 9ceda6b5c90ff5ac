"""gateway completion: the script that lets a shell ask us what may come next (complete.py answers)."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Final

import typer


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_BASH: Final = """\
# Completion of gateway for bash. Put it into /etc/bash_completion.d/gateway, or: source <(gateway completion bash)
_gateway() {
    local IFS=$'\\n' current=${COMP_WORDS[COMP_CWORD]} answers
    answers=$("$1" _complete bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
    [[ $current == = ]] && current=
    case $answers in
        :files) compopt -o filenames; COMPREPLY=($(compgen -f -- "$current")) ;;
        :folders) compopt -o filenames; COMPREPLY=($(compgen -d -- "$current")) ;;
        *) COMPREPLY=($answers) ;;
    esac
}
complete -F _gateway gateway
"""
_ZSH: Final = """\
#compdef gateway
# Completion of gateway for zsh. Put it as _gateway into a folder of $fpath, or: source <(gateway completion zsh)
_gateway() {
    local -a answers
    answers=("${(@f)$("${words[1]}" _complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    case ${answers[1]} in
        :files) _files ;;
        :folders) _files -/ ;;
        '') return 1 ;;
        *) _describe -V gateway answers ;;
    esac
}
if [[ ${funcstack[1]} == _gateway ]]; then _gateway "$@"; else compdef _gateway gateway; fi
"""
_FISH: Final = """\
# Completion of gateway for fish. Put it into ~/.config/fish/completions/gateway.fish
function __gateway_answers
    set -l words (commandline -opc)
    set -l answers ($words[1] _complete fish $words[2..-1] (commandline -ct) 2>/dev/null)
    switch "$answers[1]"
        case :files
            __fish_complete_path (commandline -ct)
        case :folders
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\\n' $answers
    end
end
complete -c gateway -f -a '(__gateway_answers)'
"""
SCRIPTS: Final = {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}


def script(shell: Annotated[Shell, typer.Argument(help="Which shell is to complete.")]) -> None:
    """Print the script that lets Tab complete verbs, options, references of messages, units and kinds of units."""
    sys.stdout.write(SCRIPTS[shell])
