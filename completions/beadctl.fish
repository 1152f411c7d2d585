function _beadctl_completion --description 'Find candidates; false if there are none'
    set -l option (commandline -ct | string match -r -- '^--[^=]*=')
    set -lx _BEADCTL_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION get-args
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp | string collect)
    set -g _beadctl_candidates "$option"(beadctl | string match -r '.+')
    test (count $_beadctl_candidates) -gt 0
end

complete --command beadctl --no-files --condition _beadctl_completion --arguments '$_beadctl_candidates'
