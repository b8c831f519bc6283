"""What both peers share: the work, read from a file, and the conversation with `smidgen bench train`.

The work is a JSON file: widths of an MLP with SiLU between dense layers, inputs (n, widths[0]),
targets (n, widths[-1]), members (each all parameters: weight (outputs, inputs) row-major, then bias,
layer by layer), rate, l1 (of weights, not of biases), betas, epsilon. All are float32.

A peer first prints one line of JSON: {"version": ..., "names": [...]}. It then answers every line
`NAME STEPS` with {"cpu": seconds, "losses": [mean square error of every member after them]}: cpu is
CPU time of the whole process, all its threads together. `NAME 0` only gives the losses.
"""

import json
import os
import sys
import time


def one_core():
    """From now on thread pools are made for one core."""
    if hasattr(os, "sched_setaffinity"):
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(everywhere)})
        return lambda: os.sched_setaffinity(0, everywhere)
    return lambda: None


def read():
    with open(sys.argv[1]) as file:
        return json.load(file)


def layers(work, parameters, array):
    """(weight, bias) of every layer out of one member's parameters."""
    found, at = [], 0
    for inputs, outputs in zip(work["widths"], work["widths"][1:]):
        weight = array(parameters[at:at + inputs * outputs]).reshape(outputs, inputs)
        at += inputs * outputs
        found.append((weight, array(parameters[at:at + outputs])))
        at += outputs
    assert at == len(parameters), "parameters left over"
    return found


def serve(version, runners):
    """runners: by name (run(steps), losses() -> list of float)."""
    print(json.dumps({"version": version, "names": list(runners)}), flush=True)
    for line in sys.stdin:
        name, steps = line.rsplit(maxsplit=1)
        run, losses = runners[name]
        start = time.process_time()
        if int(steps) > 0:
            run(int(steps))
        cpu = time.process_time() - start
        print(json.dumps({"cpu": cpu, "losses": losses()}), flush=True)
