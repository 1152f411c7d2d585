#!/usr/bin/env bash
# Run the command of README.md that follows <!-- ci: NAME -->, on Linux, macOS and, with Git's bash, Windows.
set -euo pipefail
command=$(awk -v mark="<!-- ci: $1 -->" '
    { sub(/\r$/, "") }
    $0 == mark { wanted = 1; next }
    wanted && /^```/ { if (inside) exit; inside = 1; next }
    wanted && inside { print }
' README.md)
[[ -n $command ]] || { echo "README.md has no command marked $1" >&2; exit 1; }
if [[ ${OS:-} == Windows_NT ]]; then command=${command//.venv\/bin/.venv\/Scripts}; fi
printf '%s\n' "$command"
bash -euo pipefail -c "$command"
