"""The work of `smidgen bench train` in JAX: one member by `fori_loop`, many by `lax.map` over it."""

import os

# Before JAX is loaded: its thread pools and its compiler read these once.
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"

import work

everywhere = work.one_core()

import jax
import jax.numpy as jnp
from jax import lax

WORK = work.read()
X = jnp.asarray(WORK["inputs"], jnp.float32)
Y = jnp.asarray(WORK["targets"], jnp.float32)
RATE, L1, EPSILON = WORK["rate"], WORK["l1"], WORK["epsilon"]
BETA1, BETA2 = WORK["betas"]


def error(parameters):
    h = X
    for i, (w, b) in enumerate(parameters):
        h = h @ w.T + b
        if i + 1 < len(parameters):
            h = jax.nn.silu(h)
    return jnp.mean((h - Y) ** 2)


def loss(parameters):
    return error(parameters) + L1 * sum(jnp.sum(jnp.abs(w)) for w, _ in parameters)


gradient = jax.grad(loss)


def adam(_, state):
    parameters, first, second, t = state
    g = gradient(parameters)
    t = t + 1.0
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, g)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, g)
    c1, c2 = 1 / (1 - BETA1**t), 1 / (1 - BETA2**t)
    parameters = jax.tree.map(
        lambda p, m, v: p - RATE * (m * c1) / (jnp.sqrt(v * c2) + EPSILON), parameters, first, second
    )
    return parameters, first, second, t


def steps(state, n):
    return lax.fori_loop(0, n, adam, state)


def begin(parameters):
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return parameters, zeros, zeros, jnp.float32(0)


MEMBERS = [work.layers(WORK, p, lambda v: jnp.asarray(v, jnp.float32)) for p in WORK["members"]]


def runner(advance, measure, state):
    box = [state]
    advance, measure = jax.jit(advance), jax.jit(measure)
    jax.block_until_ready(advance(box[0], 1))  # compiled before it is measured

    def run(n):
        box[0] = jax.block_until_ready(advance(box[0], n))

    return run, lambda: jnp.atleast_1d(measure(box[0][0])).tolist()


if len(MEMBERS) == 1:
    runners = {"JAX fori_loop": runner(steps, error, begin(MEMBERS[0]))}
else:
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *[begin(m) for m in MEMBERS])
    each = lambda state, n: lax.map(lambda one: steps(one, n), state)
    runners = {"JAX lax.map": runner(each, jax.vmap(error), stacked)}
everywhere()
work.serve(jax.__version__, runners)
