"""The work of `smidgen bench sampler` in PyTorch: digits by Restart, one thread.

The work file holds the denoiser (widths, parameters, dim, classes, deviation), the main grid, the grid
of the interval that is run through again, the index of the level after which it comes, how often, the
deviation of the noise, and the embedding of every level. `NAME n` draws n digits; `NAME 0` gives where
Heun's ODE takes the starts.
"""

import work

everywhere = work.one_core()

import torch

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
torch.set_grad_enabled(False)

WORK = work.read()
DIM, CLASSES, DATA, REACH = WORK["dim"], WORK["classes"], WORK["deviation"], WORK["reach"]
EMBEDDING = {t: torch.tensor(e, dtype=torch.float32) for t, e in WORK["embeddings"]}
STARTS = torch.tensor(WORK["starts"], dtype=torch.float32)


def network():
    parts = []
    for w, b in work.layers(WORK, WORK["parameters"], lambda v: torch.tensor(v, dtype=torch.float32)):
        dense = torch.nn.Linear(w.shape[1], w.shape[0])
        dense.weight.copy_(w)
        dense.bias.copy_(b)
        parts += [dense, torch.nn.SiLU()]
    return torch.nn.Sequential(*parts[:-1]).eval()


NET = network()


def one_hot(n):
    return torch.nn.functional.one_hot(torch.arange(n) % CLASSES, CLASSES).float()


def slope(x, t, label):
    total = t * t + DATA * DATA
    f = NET(torch.cat([(x * total**-0.5).clamp(-REACH, REACH), EMBEDDING[t].expand(len(x), -1), label], 1))
    denoised = DATA * DATA / total * x + t * DATA * total**-0.5 * f
    return (x - denoised) / t


def heun(x, t, to, label):
    d = slope(x, t, label)
    if to == 0:
        return x - t * d
    e = slope(x + (to - t) * d, to, label)
    return x + (to - t) / 2 * (d + e)


def along(x, levels, label):
    for t, to in zip(levels, levels[1:]):
        x = heun(x, t, to, label)
    return x


def restart(n):
    label = one_hot(n)
    x = WORK["start"] * torch.randn(n, DIM)
    main = WORK["main"]
    for i, (t, to) in enumerate(zip(main, main[1:])):
        x = heun(x, t, to, label)
        if i + 1 == WORK["after"]:
            for _ in range(WORK["repeats"]):
                x = x + WORK["noise"] * torch.randn_like(x)
                x = along(x, WORK["again"], label)
    return x


def in_batches(size):
    def run(n):
        for at in range(0, n, size):
            restart(min(size, n - at))

    def ends():
        return along(STARTS, WORK["main"], one_hot(len(STARTS))).flatten().tolist()

    return run, ends


runners = {f"PyTorch, batches of {size}": in_batches(size) for size in (256, 1000, 10000)}
everywhere()
work.serve(torch.__version__, runners)
