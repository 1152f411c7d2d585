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
