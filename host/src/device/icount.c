/* A QEMU TCG plugin that counts the instructions a guest executes between two marker functions.
 *
 * Arguments: out=FILE region=NAME:START:STOP [region=…]   (START, STOP: the markers' addresses, hexadecimal)
 * Each passage writes one line "NAME COUNT" to FILE: all instructions executed after the marker START
 * returned control and before STOP was called, those of interrupt handlers included.
 *
 * Translation blocks are counted whole when they are entered. That is exact here: a block ends at every
 * branch, the markers are functions of their own, and no instruction of the firmware faults.
 *
 * The interface is declared by hand because distributions do not ship qemu-plugin.h; only calls whose
 * signatures are the same in plugin API 1 (QEMU 6 to 8) and 2 and later (QEMU 9 on) are used.
 * SMIDGEN_PLUGIN_API is given by the compiler's command line.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
typedef void (*tb_translated)(plugin_id, struct qemu_plugin_tb *);
typedef void (*executed)(unsigned int cpu, void *data);
typedef void (*at_exit)(plugin_id, void *data);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, tb_translated);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, executed, int flags, void *data);
extern void qemu_plugin_register_atexit_cb(plugin_id, at_exit, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

__attribute__((visibility("default"))) int qemu_plugin_version = SMIDGEN_PLUGIN_API;

#define MAX_REGIONS 8
static struct region {
    char name[32];
    uint64_t start, stop, since;
    int open;
} regions[MAX_REGIONS];
static int region_count;
static uint64_t executed_total;
static FILE *out;

static void on_block(unsigned int cpu, void *instructions) {
    (void)cpu;
    executed_total += (uintptr_t)instructions;
}

static void on_start(unsigned int cpu, void *data) {
    struct region *region = data;
    (void)cpu;
    region->since = executed_total;
    region->open = 1;
}

static void on_stop(unsigned int cpu, void *data) {
    struct region *region = data;
    (void)cpu;
    if (!region->open) return;
    region->open = 0;
    fprintf(out, "%s %llu\n", region->name, (unsigned long long)(executed_total - region->since));
    /* The first region is the rare one: flushed each time, so that nothing is missing after a kill. */
    if (region == regions) fflush(out);
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *tb) {
    uint64_t address = qemu_plugin_tb_vaddr(tb);
    (void)id;
    for (int i = 0; i < region_count; i++) {
        if (address == regions[i].start) {
            qemu_plugin_register_vcpu_tb_exec_cb(tb, on_start, 0, &regions[i]);
            return;
        }
        if (address == regions[i].stop) {
            qemu_plugin_register_vcpu_tb_exec_cb(tb, on_stop, 0, &regions[i]);
            return;
        }
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(tb));
}

static void on_exit_(plugin_id id, void *data) {
    (void)id;
    (void)data;
    fclose(out);
}

__attribute__((visibility("default")))
int qemu_plugin_install(plugin_id id, const struct qemu_info_t *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        struct region *region = &regions[region_count];
        unsigned long long start, stop;
        if (strncmp(argv[i], "out=", 4) == 0) {
            out = fopen(argv[i] + 4, "w");
        } else if (region_count < MAX_REGIONS &&
                   sscanf(argv[i], "region=%31[^:]:%llx:%llx", region->name, &start, &stop) == 3) {
            region->start = start;
            region->stop = stop;
            region_count++;
        } else {
            fprintf(stderr, "icount: argument %s not understood\n", argv[i]);
            return -1;
        }
    }
    if (out == NULL || region_count == 0) {
        fprintf(stderr, "icount: out=FILE and region=NAME:START:STOP are needed\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_exit_, NULL);
    return 0;
}
