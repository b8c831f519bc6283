"""Writes a chain of dense layers as C by emlearn's generator, in f32 (host/src/cli/bench/peers/emlearn.rs).

    python to_emlearn.py WORK.json MODEL.h

WORK: {"layers": [{"weights": [[float]] (n_out, n_in), "biases": [float], "relu": bool}]}. The generator is the one that
emlearn.convert(MLPRegressor).save() calls, with scikit-learn's matrices (n_in, n_out); called by itself it takes nets
without a hidden layer, too. (Its other one, for inference "inline", fails in 0.23.2.) The last line of stdout is
{"headers": the folder with eml_net.h}.
"""

import json
import os
import sys

import emlearn.net
import numpy

layers = json.load(open(sys.argv[1]))["layers"]
activations = ["relu" if layer["relu"] else "identity" for layer in layers]
weights = [numpy.array(layer["weights"]).T for layer in layers]
biases = [numpy.array(layer["biases"]) for layer in layers]
with open(sys.argv[2], "w") as file:
    file.write(emlearn.net.c_generate_net_loadable(activations, weights, biases, prefix="net"))
print(json.dumps({"headers": os.path.dirname(emlearn.net.__file__)}))
