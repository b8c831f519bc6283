"""Writes a chain of dense layers as a TFLite file, which MicroFlow compiles (host/src/cli/bench/peers/microflow.rs).

    python to_tflite.py WORK.json MODEL.tflite

WORK: {"layers": [{"weights": [[float]] (n_out, n_in), "biases": [float], "relu": bool}], "inputs": [[float]]}.
As TFLite's converter does it: weights symmetric, one scale a tensor, |w| at most 127; activations int8 with one scale and
zero point a tensor, from their range over the inputs; biases int32 at the product of the two scales. The last line of
stdout is one JSON object: {"scale", "zero_point": of the input, "steps": [scale of each layer's output]}.
"""

import json
import sys

import flatbuffers
import numpy
import tflite

work = json.load(open(sys.argv[1]))
builder = flatbuffers.Builder(1 << 16)


def table(kind, **fields):
    """A table of the schema from its fields' values or offsets."""
    getattr(tflite, kind + "Start")(builder)
    for name, value in fields.items():
        getattr(tflite, f"{kind}Add{name}")(builder, value)
    return getattr(tflite, kind + "End")(builder)


def vector(numbers, dtype):
    return builder.CreateNumpyVector(numpy.asarray(numbers, dtype))


def offsets(items):
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return builder.EndVector()


# Buffer 0 is empty by convention: tensors without constants name it.
buffers, tensors = [table("Buffer")], []


def tensor(shape, kind, scale, zero_point=0, data=None):
    """Adds a tensor, and its buffer where it is a constant; its index."""
    where = 0
    if data is not None:
        buffers.append(table("Buffer", Data=vector(numpy.frombuffer(data.tobytes(), numpy.uint8), numpy.uint8)))
        where = len(buffers) - 1
    quantization = table(
        "QuantizationParameters", Scale=vector([scale], numpy.float32), ZeroPoint=vector([zero_point], numpy.int64)
    )
    name, shape = builder.CreateString(f"t{len(tensors)}"), vector(shape, numpy.int32)
    tensors.append(table("Tensor", Shape=shape, Type=kind, Buffer=where, Name=name, Quantization=quantization))
    return len(tensors) - 1


def activation(x):
    """Scale and zero point for the range of x, 0 included."""
    low, high = min(x.min(), 0.0), max(x.max(), 0.0)
    scale = float(numpy.float32((high - low) / 255))
    return scale, int(round(-128 - low / scale))


x = numpy.array(work["inputs"], numpy.float64)
scale, zero_point = activation(x)
said = {"scale": scale, "zero_point": zero_point, "steps": []}
first = last = tensor([1, x.shape[1]], tflite.TensorType.INT8, scale, zero_point)
operators = []
for layer in work["layers"]:
    weights, biases = numpy.array(layer["weights"]), numpy.array(layer["biases"])
    weight_scale = float(numpy.float32(numpy.abs(weights).max() / 127))
    bias_scale = scale * weight_scale
    quantised = numpy.clip(numpy.round(weights / weight_scale), -127, 127).astype(numpy.int8)
    w = tensor(weights.shape, tflite.TensorType.INT8, weight_scale, 0, quantised)
    b = tensor([len(biases)], tflite.TensorType.INT32, bias_scale, 0, numpy.round(biases / bias_scale).astype("<i4"))
    x = x @ weights.T + biases
    x = numpy.maximum(x, 0) if layer["relu"] else x
    scale, zero_point = activation(x)
    y = tensor([1, len(biases)], tflite.TensorType.INT8, scale, zero_point)
    said["steps"].append(scale)
    kind = tflite.ActivationFunctionType.RELU if layer["relu"] else tflite.ActivationFunctionType.NONE
    options = table("FullyConnectedOptions", FusedActivationFunction=kind)
    inputs, outputs = vector([last, w, b], numpy.int32), vector([y], numpy.int32)
    operators.append(
        table(
            "Operator",
            OpcodeIndex=0,
            Inputs=inputs,
            Outputs=outputs,
            BuiltinOptionsType=tflite.BuiltinOptions.FullyConnectedOptions,
            BuiltinOptions=options,
        )
    )
    last = y

fully_connected = tflite.BuiltinOperator.FULLY_CONNECTED
code = table("OperatorCode", DeprecatedBuiltinCode=fully_connected, BuiltinCode=fully_connected, Version=1)
tensors, operators, buffers = offsets(tensors), offsets(operators), offsets(buffers)
inputs, outputs = vector([first], numpy.int32), vector([last], numpy.int32)
graph = table("SubGraph", Tensors=tensors, Inputs=inputs, Outputs=outputs, Operators=operators)
codes, graphs, name = offsets([code]), offsets([graph]), builder.CreateString("smidgen bench kernels")
model = table("Model", Version=3, OperatorCodes=codes, Subgraphs=graphs, Description=name, Buffers=buffers)
builder.Finish(model, b"TFL3")
with open(sys.argv[2], "wb") as file:
    file.write(builder.Output())
print(json.dumps(said))
