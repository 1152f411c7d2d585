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
