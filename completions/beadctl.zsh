#compdef beadctl

_beadctl_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _BEADCTL_COMPLETE=complete_zsh beadctl)
}

compdef _beadctl_completion beadctl
