# Completion of `secondpost` in bash. The words come from the program itself.
_secondpost() {
    local kind word
    COMPREPLY=()
    while IFS=, read -r kind word; do
        case $kind in
            plain) COMPREPLY+=("$word") ;;
            *) compopt -o default ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _SECONDPOST_COMPLETE=bash_complete "$1" 2>/dev/null)
}
complete -F _secondpost secondpost
