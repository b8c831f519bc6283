#!/bin/sh
# Life in the field, on QEMU's microbit with firmware that takes signed models alone:
# a signed model is sent, a class taught and told right, power cut, all still there; an unsigned model is refused,
# the class forgotten, and the model before served again. Argument: the program smidgen.
set -eu
smidgen=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

say() { printf '\n== %s\n' "$1"; }

say 'two models of one run, one signed key, and a board with the public half'
"$smidgen" --quiet train parsnets --alone --set bases=4 --set rank=6 --set steps=60 -o run
"$smidgen" keygen owner.key
"$smidgen" export run -o unsigned.smg
"$smidgen" export run --sign owner.key --counter 1 -o first.smg
"$smidgen" export run --sign owner.key --counter 2 -o second.smg
SMIDGEN_PUBLIC_KEY=$(cat owner.key.pub)
export SMIDGEN_PUBLIC_KEY
board='--board qemu-m0'

say 'a signed model'
# shellcheck disable=SC2086 # a list of words
"$smidgen" send first.smg $board
"$smidgen" send second.smg $board

say 'a class is taught, and told right'
"$smidgen" teach TRAP second.smg $board
"$smidgen" --json --quiet explain second.smg $board --class TRAP | grep -q '"class":"TRAP"'

say 'power was cut between the commands; once more, and the class is still known'
"$smidgen" teach TRAP second.smg $board

say 'an unsigned model is refused'
if "$smidgen" send unsigned.smg $board; then
    echo 'an unsigned model was taken'
    exit 1
fi

say 'the class is forgotten'
"$smidgen" forget TRAP $board
if "$smidgen" forget TRAP $board; then
    echo 'a class was forgotten twice'
    exit 1
fi

say 'back to the model before'
"$smidgen" send --back $board
"$smidgen" --json --quiet send first.smg $board | grep -q '"sent_bytes":0'
echo 'all is as it should be'
