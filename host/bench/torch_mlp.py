"""The work of `smidgen bench train` in PyTorch: one member in eager mode, many by `vmap`."""

import work

everywhere = work.one_core()

import torch
from torch.func import functional_call, grad, vmap

torch.set_num_threads(1)
torch.set_num_interop_threads(1)

WORK = work.read()
X = torch.tensor(WORK["inputs"], dtype=torch.float32)
Y = torch.tensor(WORK["targets"], dtype=torch.float32)
RATE, L1, EPSILON, BETAS = WORK["rate"], WORK["l1"], WORK["epsilon"], tuple(WORK["betas"])
MEMBERS = [work.layers(WORK, p, lambda v: torch.tensor(v, dtype=torch.float32)) for p in WORK["members"]]


def module(member):
    parts = []
    for i, (w, b) in enumerate(member):
        if i > 0:
            parts.append(torch.nn.SiLU())
        dense = torch.nn.Linear(w.shape[1], w.shape[0])
        with torch.no_grad():
            dense.weight.copy_(w)
            dense.bias.copy_(b)
        parts.append(dense)
    return torch.nn.Sequential(*parts)


def eager(fused):
    net = module(MEMBERS[0])
    weights = [p for name, p in net.named_parameters() if name.endswith("weight")]
    adam = torch.optim.Adam(net.parameters(), lr=RATE, betas=BETAS, eps=EPSILON, fused=fused)

    def run(n):
        for _ in range(n):
            adam.zero_grad()
            loss = torch.nn.functional.mse_loss(net(X), Y) + L1 * sum(w.abs().sum() for w in weights)
            loss.backward()
            adam.step()

    def losses():
        with torch.no_grad():
            return [torch.nn.functional.mse_loss(net(X), Y).item()]

    return run, losses


def mapped():
    net = module(MEMBERS[0])
    names = [name for name, _ in net.named_parameters()]
    flat = [dict(zip(names, (t for layer in member for t in layer))) for member in MEMBERS]
    parameters = {name: torch.stack([member[name] for member in flat]) for name in names}
    first = {name: torch.zeros_like(p) for name, p in parameters.items()}
    second = {name: torch.zeros_like(p) for name, p in parameters.items()}
    count = [0]

    def error(p):
        return torch.nn.functional.mse_loss(functional_call(net, p, (X,)), Y)

    def loss(p):
        return error(p) + L1 * sum(w.abs().sum() for name, w in p.items() if name.endswith("weight"))

    gradients = vmap(grad(loss))

    def run(n):
        with torch.no_grad():
            for _ in range(n):
                count[0] += 1
                g = gradients(parameters)
                c1, c2 = 1 / (1 - BETAS[0] ** count[0]), 1 / (1 - BETAS[1] ** count[0])
                for name, p in parameters.items():
                    m, v = first[name], second[name]
                    m.mul_(BETAS[0]).add_(g[name], alpha=1 - BETAS[0])
                    v.mul_(BETAS[1]).addcmul_(g[name], g[name], value=1 - BETAS[1])
                    p.addcdiv_(m, (v * c2).sqrt_().add_(EPSILON), value=-RATE * c1)

    def losses():
        with torch.no_grad():
            return vmap(error)(parameters).tolist()

    return run, losses


if len(MEMBERS) == 1:
    runners = {"PyTorch eager": eager(False), "PyTorch eager, fused Adam": eager(True)}
else:
    runners = {"PyTorch vmap": mapped()}
everywhere()
work.serve(torch.__version__, runners)
