#!/bin/sh
# Life in the field, on QEMU's microbit with firmware that takes signed models alone: a signed model without one class
# is sent, the class taught and told right, power cut, all still there; an unsigned model is refused, the class
# forgotten, and the model before served again. Training saw neither PEN nor ABD. Argument: the program smidgen.
set -eu
smidgen=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# Every command starts the board with its flash as the one before left it, and ends by cutting its power.
flash='--board qemu-m0 --flash wrist.flash'

say() { printf '\n== %s\n' "$1"; }

# How many windows of a class, which training never saw, the board tells right.
right() {
    # shellcheck disable=SC2086 # a list of words
    "$smidgen" --quiet --json run second.smg $flash --class "$1" --samples 20 | sed 's/.*"right":\([0-9]*\).*/\1/'
}

say 'two models of one run, signed, and a board with the public half of the key'
"$smidgen" --quiet train parsnets --alone --set bases=4 --set rank=6 --set steps=600 -o run
"$smidgen" keygen owner.key
"$smidgen" export run -o unsigned.smg
"$smidgen" export run --sign owner.key --counter 1 -o first.smg
"$smidgen" export run --without ABD --sign owner.key --counter 2 -o second.smg
SMIDGEN_PUBLIC_KEY=$(cat owner.key.pub)
export SMIDGEN_PUBLIC_KEY

# shellcheck disable=SC2086 # lists of words, from here on
{
    say 'signed models are taken'
    "$smidgen" send first.smg $flash
    "$smidgen" send second.smg $flash
    echo "told right, of 20 windows each: PEN $(right PEN), ABD $(right ABD)"
    test "$(right ABD)" -eq 0

    say 'the class is taught, and told right after power was cut'
    "$smidgen" teach ABD second.smg $flash
    taught=$(right ABD)
    others=$(right PEN)
    echo "told right, of 20 windows each: PEN $others, ABD $taught"
    test "$taught" -ge 15
    test "$others" -ge 15
    "$smidgen" explain second.smg $flash --class ABD --top 3

    say 'an unsigned model is refused; what was served still is'
    if "$smidgen" send unsigned.smg $flash; then
        echo 'an unsigned model was taken'
        exit 1
    fi
    test "$(right ABD)" -eq "$taught"

    say 'the class is forgotten'
    "$smidgen" forget ABD $flash
    test "$(right ABD)" -eq 0
    if "$smidgen" forget ABD $flash; then
        echo 'a class was forgotten twice'
        exit 1
    fi

    say 'back to the model before'
    "$smidgen" send --back $flash
    "$smidgen" --json --quiet send first.smg $flash | grep '"sent_bytes":0'
}
echo 'all is as it should be'
