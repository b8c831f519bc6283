/* Peer of `smidgen bench kernels`: the layers by emlearn, in f32, from the C that it generates (net.h), at -O3.
 * expected.h has the input and our scores in their own unit: its must be near, and the largest the same. */
#include "net.h"
#include "expected.h"

/* eml_net_infer, which leaves its scores in activations2, takes nets of two layers and more. */
__attribute__((noinline)) static void infer(void) {
    if (net.n_layers == 1) eml_net_layer_forward(&net.layers[0], INPUT, INPUTS, net.activations2, net.activations_length);
    else eml_net_infer(&net, INPUT, INPUTS);
}

#define MARK(name) __attribute__((noinline)) void name(void) { __asm__ volatile(""); }
MARK(smidgen_mark_finish_start) MARK(smidgen_mark_finish_stop) MARK(smidgen_mark_push_start) MARK(smidgen_mark_push_stop)

static int right(void) {
    const float *b = net.activations2;
    int largest = 0, ours = 0;
    for (int i = 0; i < OUTPUTS; i++) {
        float off = b[i] - SCORES[i];
        if (off > TOLERANCE || off < -TOLERANCE) return 0;
        if (b[i] > b[largest]) largest = i;
        if (SCORES[i] > SCORES[ours]) ours = i;
    }
    return largest == ours;
}

int main(void) {
#ifdef __ARM_FP
    /* The FPU is turned on first. */
    *(volatile uint32_t *)0xE000ED88 |= 0xF00000;
    __asm__ volatile("dsb\n isb");
#endif
    infer();
    if (right()) {
        smidgen_mark_push_start();
        smidgen_mark_push_stop();
    }
    smidgen_mark_finish_start();
    infer();
    smidgen_mark_finish_stop();
    for (;;) __asm__ volatile("" ::"m"(*net.activations2));
}

extern int stack_top;
__attribute__((section(".vectors"), used)) const void *const vectors[] = { &stack_top, (const void *)main };
