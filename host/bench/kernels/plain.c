/* Peer of `smidgen bench kernels`: the layers as a C programmer writes them down, at -O3.
 * model.h, made from the model, has the weights, an input, and the scores that must come out. */
#include <stdint.h>

struct layer {
    const int8_t *weights;
    const int32_t *biases, *multipliers;
    int inputs, outputs, relu;
};

#include "model.h"

#define LARGEST 1024

static int32_t requant(int32_t sum, int32_t multiplier) {
    return (int32_t)(((int64_t)(int32_t)((uint32_t)sum << 8) * multiplier + ((int64_t)1 << 31)) >> 32);
}

static int32_t clamp(int32_t v, int32_t low, int32_t high) { return v < low ? low : v > high ? high : v; }

static void dense(const struct layer *layer, const int8_t *x, int8_t *y, int16_t *scores) {
    const int8_t *w = layer->weights;
    for (int i = 0; i < layer->outputs; i++) {
        int32_t sum = 0;
        for (int j = 0; j < layer->inputs; j++) sum += w[j] * x[j];
        w += layer->inputs;
        int32_t value = requant(sum + layer->biases[i], layer->multipliers[i]);
        if (scores) scores[i] = (int16_t)clamp(value, -32767, 32767);
        else y[i] = (int8_t)clamp(value, layer->relu ? 0 : -127, 127);
    }
}

static int8_t a[LARGEST], b[LARGEST];
static int16_t scores[LARGEST];

__attribute__((noinline)) static void infer(void) {
    const int8_t *from = INPUT;
    int8_t *to = a;
    for (int k = 0; k < LAYERS; k++) {
        dense(&layers[k], from, to, k == LAYERS - 1 ? scores : 0);
        from = to;
        to = to == a ? b : a;
    }
}

#define MARK(name) __attribute__((noinline)) void name(void) { __asm__ volatile(""); }
MARK(smidgen_mark_finish_start) MARK(smidgen_mark_finish_stop) MARK(smidgen_mark_push_start) MARK(smidgen_mark_push_stop)

void main(void) {
    infer();
    int right = 1;
    for (int i = 0; i < OUTPUTS; i++) right &= scores[i] == SCORES[i];
    if (right) {
        smidgen_mark_push_start();
        smidgen_mark_push_stop();
    }
    smidgen_mark_finish_start();
    infer();
    smidgen_mark_finish_stop();
    for (;;) __asm__ volatile("" ::"m"(scores));
}

extern int stack_top;
__attribute__((section(".vectors"), used)) const void *const vectors[] = { &stack_top, (const void *)main };
