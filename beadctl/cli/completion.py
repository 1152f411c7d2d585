"""Tab completion: the script of each shell, which asks beadctl for the candidates as Typer does."""

from enum import StrEnum


class Shell(StrEnum):
    """Shells that have a completion."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


# Typer gives the values of --option=value without the option. Readline splits such words at "=" and replaces
# the value; the other shells replace the whole word.
_BASH = r"""
_beadctl_completion() {
    local IFS=$'\n' words=() last=-1 word typed=${COMP_WORDS[COMP_CWORD]} option=
    # COMP_WORDBREAKS has "=": the three words of --option=value are joined again.
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if (( last >= 0 )) && [[ $word == "=" || ${words[last]} == --*= ]]; then
            words[last]+=$word
        else
            words[++last]=$word
        fi
    done
    [[ $typed != --*=* ]] || option=${typed%%=*}=
    COMPREPLY=( $(env COMP_WORDS="${words[*]}" COMP_CWORD=$last _BEADCTL_COMPLETE=complete_bash "$1") )
    COMPREPLY=( "${COMPREPLY[@]/#/$option}" )
}

complete -o default -F _beadctl_completion beadctl
"""
_ZSH = r"""
#compdef beadctl

_beadctl() {
    local line="${words[1,CURRENT-1]} $PREFIX"
    compset -P '--*='
    eval "$(env _TYPER_COMPLETE_ARGS="$line" _BEADCTL_COMPLETE=complete_zsh "${(Q)words[1]}")"
}

# As the file _beadctl of a folder in $fpath this is the function; else it is sourced.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _beadctl "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef _beadctl beadctl
fi
"""
_FISH = r"""
function _beadctl_completion --description 'Find candidates; false if there are none'
    set -l option (commandline -ct | string match -r -- '^--[^=]*=')
    set -lx _BEADCTL_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION get-args
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp | string collect)
    set -g _beadctl_candidates "$option"(beadctl | string match -r '.+')
    test (count $_beadctl_candidates) -gt 0
end

complete --command beadctl --no-files --condition _beadctl_completion --arguments '$_beadctl_candidates'
"""
_POWERSHELL = r"""
Register-ArgumentCompleter -Native -CommandName beadctl -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $option = if ($wordToComplete -match '^--[^=]+=') { $Matches[0] } else { '' }
    $Env:_BEADCTL_COMPLETE = 'complete_powershell'
    $Env:_TYPER_COMPLETE_ARGS = $commandAst.ToString()
    $Env:_TYPER_COMPLETE_WORD_TO_COMPLETE = $wordToComplete
    beadctl | Where-Object { $_ } | ForEach-Object {
        $value, $help = $_ -split ':::', 2
        [System.Management.Automation.CompletionResult]::new("$option$value", $value, 'ParameterValue', $help)
    }
    Remove-Item Env:_BEADCTL_COMPLETE, Env:_TYPER_COMPLETE_ARGS, Env:_TYPER_COMPLETE_WORD_TO_COMPLETE
}
"""
SCRIPTS = {
    Shell.BASH: _BASH.strip(),
    Shell.ZSH: _ZSH.strip(),
    Shell.FISH: _FISH.strip(),
    Shell.POWERSHELL: _POWERSHELL.strip(),
}
