# Completion of `secondpost` in fish. The words come from the program itself.
function __secondpost_words
    set -lx COMP_WORDS (commandline -cp)
    set -lx COMP_CWORD (commandline -t)
    for answer in (_SECONDPOST_COMPLETE=fish_complete secondpost 2>/dev/null)
        set -l parts (string split -m 1 , -- $answer)
        if test $parts[1] = plain
            echo $parts[2]
        else
            __fish_complete_path $parts[2]
        end
    end
end
complete --command secondpost --no-files --arguments '(__secondpost_words)'
