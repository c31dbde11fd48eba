/* A plugin for qemu's user emulation: how many instructions of the emulated processor a program executed. The sum over
 * all threads goes to the file that the argument `out` names, when the program ends.
 *
 *   qemu-aarch64 -plugin libcount.so,out=FILE PROGRAM
 *
 * What it takes of qemu's interface is declared here, since no package brings qemu's header. The interface's number
 * (-DINTERFACE) must be one that the qemu at hand accepts: 1 before qemu 9.0, 2 from then on. What is used here is the
 * same in both. */

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *block));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                          void (*executed)(unsigned int processor, void *given), int flags,
                                          void *given);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*ended)(qemu_plugin_id_t id, void *given), void *given);

#define EXPORTED __attribute__((visibility("default")))

/* the plugin looks at no registers */
enum { NO_REGISTERS = 0 };

EXPORTED int qemu_plugin_version = INTERFACE;

static _Atomic uint64_t instructions;
static char *out;

/* A block is straight code: once entered, it is executed to its end, but where the program faults. */
static void executed(unsigned int processor, void *length) {
    (void)processor;
    atomic_fetch_add_explicit(&instructions, (uintptr_t)length, memory_order_relaxed);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    (void)id;
    void *length = (void *)(uintptr_t)qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, NO_REGISTERS, length);
}

static void ended(qemu_plugin_id_t id, void *given) {
    (void)id, (void)given;
    FILE *file = fopen(out, "w");
    if (!file || fprintf(file, "%llu\n", (unsigned long long)atomic_load(&instructions)) < 0 || fclose(file)) {
        perror(out);
    }
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void *qemu, int count, char **arguments) {
    (void)qemu;
    for (int i = 0; i < count; i++) {
        if (!strncmp(arguments[i], "out=", 4)) {
            out = strdup(arguments[i] + 4);
        }
    }
    if (!out) {
        fputs("count: say where the count goes: -plugin libcount.so,out=FILE\n", stderr);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
