/* A PKCS#11 module for tests: another module, with the manners of bad vendor modules added.
 *
 * It passes every call on to the module named in its configuration and interferes as told there. The
 * configuration is the file <this library>.conf, read at every call, so that a test can change its
 * behaviour while it is loaded; calls are counted anew from each change on. One rule a line:
 *   backend PATH              the module behind it
 *   crash|hang|exit FUNCTION N          at the N-th call of FUNCTION (0: at every call)
 *   fail FUNCTION N CODE [times]        answer CODE (hexadecimal) instead
 *   fail-after FUNCTION N CODE          do it, then answer CODE
 *   print FUNCTION N TEXT     on standard output and standard error
 *   slow FUNCTION N MS
 *   fail-any N CODE | crash-any N       at the N-th call of any function
 *   kill-parent FUNCTION N    end the process that started this one, as by kill -9
 *   empty                     no slot holds a token
 *   hide-blank                nor does one that is not initialised
 *   set-flags BITS | clear-flags BITS   in token information
 *   label HEX | serial HEX | pins MIN MAX | memory BYTES
 *   extractable               every private key says that it may leave the token
 *   table-each-time           C_GetFunctionList gives another table each time; only the last one works
 *   count                     calls so far are written into <this library>.count
 *   refuse-false TYPE         C_GenerateKeyPair answers CKR_GENERAL_ERROR to this attribute (hexadecimal) set to false
 *   refuse-class CLASS CODE   C_CreateObject of this CKA_CLASS (hexadecimal)
 *   expect-pin HEX            C_Login answers CKR_PIN_INCORRECT to any other, without asking the backend
 *   keypad HEX | keypad-new HEX         what is typed on the device: a call without a PIN gets these
 */
#ifdef _WIN32
#include <windows.h>
#include <winternl.h>
#include <io.h>
#include <wchar.h>
#pragma pack(push, 1) /* PKCS#11: structures are packed there */
#else
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* CK_ULONG has 32 bits on Windows; what is passed on may be one or a pointer. */
typedef unsigned long ulong;
typedef uintptr_t word;
typedef ulong (*function)(word, word, word, word, word, word, word, word);
typedef struct { ulong type; void *value; ulong length; } attribute;

enum { COUNT = 68, OK = 0 };
static const char *NAMES[COUNT] = {
    "C_Initialize", "C_Finalize", "C_GetInfo", "C_GetFunctionList", "C_GetSlotList", "C_GetSlotInfo",
    "C_GetTokenInfo", "C_GetMechanismList", "C_GetMechanismInfo", "C_InitToken", "C_InitPIN", "C_SetPIN",
    "C_OpenSession", "C_CloseSession", "C_CloseAllSessions", "C_GetSessionInfo", "C_GetOperationState",
    "C_SetOperationState", "C_Login", "C_Logout", "C_CreateObject", "C_CopyObject", "C_DestroyObject",
    "C_GetObjectSize", "C_GetAttributeValue", "C_SetAttributeValue", "C_FindObjectsInit", "C_FindObjects",
    "C_FindObjectsFinal", "C_EncryptInit", "C_Encrypt", "C_EncryptUpdate", "C_EncryptFinal", "C_DecryptInit",
    "C_Decrypt", "C_DecryptUpdate", "C_DecryptFinal", "C_DigestInit", "C_Digest", "C_DigestUpdate",
    "C_DigestKey", "C_DigestFinal", "C_SignInit", "C_Sign", "C_SignUpdate", "C_SignFinal",
    "C_SignRecoverInit", "C_SignRecover", "C_VerifyInit", "C_Verify", "C_VerifyUpdate", "C_VerifyFinal",
    "C_VerifyRecoverInit", "C_VerifyRecover", "C_DigestEncryptUpdate", "C_DecryptDigestUpdate",
    "C_SignEncryptUpdate", "C_DecryptVerifyUpdate", "C_GenerateKey", "C_GenerateKeyPair", "C_WrapKey",
    "C_UnwrapKey", "C_DeriveKey", "C_SeedRandom", "C_GenerateRandom", "C_GetFunctionStatus",
    "C_CancelFunction", "C_WaitForSlotEvent",
};

typedef struct { unsigned char major, minor; void *functions[COUNT]; } table;
static table ours, *theirs;
static int calls[COUNT], every;
static int64_t rules_seen;

#ifdef _WIN32
#pragma pack(pop)

static FILE *beside(const char *suffix, const char *mode) {
    HMODULE self;
    wchar_t path[4096], how[4];
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                            (wchar_t *)beside, &self))
        return NULL;
    if (!GetModuleFileNameW(self, path, 4000)) return NULL;
    swprintf(path + wcslen(path), 64, L"%hs", suffix);
    swprintf(how, 4, L"%hs", mode);
    return _wfopen(path, how);
}

static int64_t identity(FILE *file) {
    BY_HANDLE_FILE_INFORMATION now;
    if (!GetFileInformationByHandle((HANDLE)_get_osfhandle(_fileno(file)), &now)) return rules_seen;
    return (int64_t)now.nFileIndexHigh << 32 | now.nFileIndexLow;
}

static function symbol(const char *library, const char *name) {
    HMODULE loaded = LoadLibraryExA(library, NULL, LOAD_WITH_ALTERED_SEARCH_PATH); /* with what lies beside it */
    return loaded ? (function)(void *)GetProcAddress(loaded, name) : NULL;
}

static void hang(void) { Sleep(INFINITE); }
static void wait_for(ulong milliseconds) { Sleep(milliseconds); }
static void leave(int status) { TerminateProcess(GetCurrentProcess(), status); }

static void kill_parent(void) {
    PROCESS_BASIC_INFORMATION own;
    NtQueryInformationProcess(GetCurrentProcess(), ProcessBasicInformation, &own, sizeof own, NULL);
    TerminateProcess(OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)(uintptr_t)own.InheritedFromUniqueProcessId), 9);
}
#else
static FILE *beside(const char *suffix, const char *mode) {
    Dl_info here;
    char path[4096];
    if (!dladdr((void *)beside, &here)) return NULL;
    snprintf(path, sizeof path, "%s%s", here.dli_fname, suffix);
    return fopen(path, mode);
}

static int64_t identity(FILE *file) {
    struct stat now;
    return fstat(fileno(file), &now) ? rules_seen : (int64_t)now.st_ino;
}

static function symbol(const char *library, const char *name) {
    void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    return loaded ? (function)dlsym(loaded, name) : NULL;
}

static void hang(void) { for (;;) pause(); }
static void wait_for(ulong milliseconds) { usleep(milliseconds * 1000); }
static void leave(int status) { _exit(status); }
static void kill_parent(void) { kill(getppid(), SIGKILL); }
#endif

static FILE *configuration(void) { return beside(".conf", "r"); }

static size_t unhex(const char *hex, unsigned char *out, size_t room) {
    size_t count = 0;
    unsigned int byte;
    while (count < room && sscanf(hex + 2 * count, "%2x", &byte) == 1) out[count++] = (unsigned char)byte;
    return count;
}

static void pad(unsigned char *field, size_t size, const char *hex) {
    memset(field, ' ', size);
    unhex(hex, field, size);
}

static void adorn(const char *line, unsigned char *info) {
    /* CK_TOKEN_INFO: label 32, manufacturer 32, model 16, serial 16, flags, 4 counts, PIN max, PIN min, … */
    ulong *numbers = (ulong *)(info + 96);
    char hex[128];
    ulong a, b;
    if (sscanf(line, "label %127s", hex) == 1) pad(info, 32, hex);
    if (sscanf(line, "serial %127s", hex) == 1) pad(info + 80, 16, hex);
    if (sscanf(line, "set-flags %lx", &a) == 1) numbers[0] |= a;
    if (sscanf(line, "clear-flags %lx", &a) == 1) numbers[0] &= ~a;
    if (sscanf(line, "pins %lu %lu", &a, &b) == 2) { numbers[5] = b; numbers[6] = a; }
    if (sscanf(line, "memory %lu", &a) == 1) numbers[8] = a;
}

static ulong class_of(word attributes, ulong count) {
    attribute *each = (attribute *)attributes;
    for (ulong i = 0; i < count; i++)
        if (each[i].type == 0) return *(ulong *)each[i].value;
    return ~0UL;
}

static int has_false(word attributes, ulong count, ulong type) {
    attribute *each = (attribute *)attributes;
    for (ulong i = 0; i < count; i++)
        if (each[i].type == type && each[i].length == 1 && !*(char *)each[i].value) return 1;
    return 0;
}

static ulong used_slots(word list, word count) {
    ulong slots[64], all = 64, used = 0, *numbers;
    unsigned char info[512];
    ulong answer = ((function)theirs->functions[4])(1, (word)slots, (word)&all, 0, 0, 0, 0, 0);
    for (ulong i = 0; answer == OK && i < all; i++) {
        if (((function)theirs->functions[6])(slots[i], (word)info, 0, 0, 0, 0, 0, 0) != OK) continue;
        numbers = (ulong *)(info + 96);
        if (!(numbers[0] & 0x400)) continue; /* CKF_TOKEN_INITIALIZED */
        if (list) ((ulong *)list)[used] = slots[i];
        used++;
    }
    *(ulong *)count = used;
    return answer;
}

static ulong call(int which, word a, word b, word c, word d, word e, word f, word g, word h) {
    char line[1024], name[64], text[512];
    unsigned char typed[256], chosen[256];
    ulong code, answer = OK, number, wanted;
    int n, at, pretend = 0, later = 0;
    FILE *rules = configuration();
    if (rules && identity(rules) != rules_seen) {
        rules_seen = identity(rules);
        memset(calls, 0, sizeof calls);
        every = 0;
    }
    at = ++calls[which];
    every++;
    while (rules && fgets(line, sizeof line, rules)) {
        if (sscanf(line, "crash %63s %d", name, &n) == 2 && !strcmp(name, NAMES[which]) && (!n || n == at))
            *(volatile int *)0 = 1;
        if (!strncmp(line, "count", 5)) {
            FILE *out = beside(".count", "w");
            if (out) fprintf(out, "%d", every), fclose(out);
        }
        if (sscanf(line, "crash-any %d", &n) == 1 && n == every) *(volatile int *)0 = 1;
        if (sscanf(line, "fail-any %d %lx", &n, &code) == 2 && n == every) {
            answer = code;
            pretend = 1;
        }
        if (sscanf(line, "kill-parent %63s %d", name, &n) == 2 && !strcmp(name, NAMES[which]) && n == at) {
            kill_parent();
            hang();
        }
        if (sscanf(line, "keypad %511s", text) == 1) {
            if (which == 18 && !c) c = (word)typed, d = unhex(text, typed, sizeof typed);
            if (which == 11 && !b) b = (word)typed, c = unhex(text, typed, sizeof typed);
        }
        if (sscanf(line, "keypad-new %511s", text) == 1) {
            if (which == 10 && !b) b = (word)chosen, c = unhex(text, chosen, sizeof chosen);
            if (which == 11 && !d) d = (word)chosen, e = unhex(text, chosen, sizeof chosen);
        }
        if (sscanf(line, "exit %63s %d", name, &n) == 2 && !strcmp(name, NAMES[which]) && (!n || n == at))
            leave(3);
        if (sscanf(line, "hang %63s %d", name, &n) == 2 && !strcmp(name, NAMES[which]) && (!n || n == at))
            hang();
        if (sscanf(line, "slow %63s %d %lu", name, &n, &number) == 3 && !strcmp(name, NAMES[which]) && (!n || n == at))
            wait_for(number);
        if (sscanf(line, "print %63s %d %511[^\n]", name, &n, text) == 3 && !strcmp(name, NAMES[which]) && (!n || n == at)) {
            printf("%s\n", text);
            fflush(stdout);
            fprintf(stderr, "%s\n", text);
        }
        if (sscanf(line, "fail %63s %d %lx", name, &n, &code) == 3 && !strcmp(name, NAMES[which]) && (!n || n == at)) {
            answer = code;
            pretend = 1;
        }
        if (sscanf(line, "fail-after %63s %d %lx", name, &n, &code) == 3 && !strcmp(name, NAMES[which]) && (!n || n == at)) {
            answer = code;
            later = 1;
        }
        if (!strncmp(line, "empty", 5) && which == 4) {
            *(ulong *)c = 0;
            answer = OK;
            pretend = 1;
        }
        if (!strncmp(line, "empty", 5) && (which == 6 || which == 12 || which == 42 || which == 43)) {
            answer = 0x32; /* CKR_DEVICE_REMOVED */
            pretend = 1;
        }
        if (sscanf(line, "refuse-class %lx %lx", &wanted, &code) == 2 && which == 20 && class_of(b, c) == wanted) {
            answer = code;
            pretend = 1;
        }
        if (sscanf(line, "refuse-false %lx", &wanted) == 1 && which == 59 &&
            (has_false(c, d, wanted) || has_false(e, f, wanted))) {
            answer = 5;
            pretend = 1;
        }
        if (sscanf(line, "expect-pin %511s", text) == 1 && which == 18 && (ulong)b == 1) {
            unsigned char pin[256];
            size_t length = unhex(text, pin, sizeof pin);
            if (length != (ulong)d || memcmp(pin, (void *)c, length)) {
                answer = 0xA0;
                pretend = 1;
            }
        }
    }
    if (pretend) {
        if (rules) fclose(rules);
        return answer;
    }
    number = ((function)theirs->functions[which])(a, b, c, d, e, f, g, h);
    if (which == 6 && number == OK && rules) {
        rewind(rules);
        while (fgets(line, sizeof line, rules)) adorn(line, (unsigned char *)b);
    }
    if (which == 24 && rules) { /* C_GetAttributeValue: CKA_EXTRACTABLE */
        rewind(rules);
        while (fgets(line, sizeof line, rules))
            if (!strncmp(line, "extractable", 11))
                for (attribute *each = (attribute *)c; each < (attribute *)c + (ulong)d; each++)
                    if (each->type == 0x162 && each->value && each->length == 1) *(char *)each->value = 1;
    }
    if (which == 4 && (number == OK || number == 0x150) && rules) {
        rewind(rules);
        while (fgets(line, sizeof line, rules))
            if (!strncmp(line, "hide-blank", 10)) number = used_slots(b, c);
    }
    if (rules) fclose(rules);
    return later ? answer : number;
}

#define PASS(n)                                                                                              \
    static ulong pass_##n(word a, word b, word c, word d, word e, word f, word g, word h) {                  \
        return call(n, a, b, c, d, e, f, g, h);                                                              \
    }
#define TEN(t) PASS(t##0) PASS(t##1) PASS(t##2) PASS(t##3) PASS(t##4) PASS(t##5) PASS(t##6) PASS(t##7) PASS(t##8) PASS(t##9)
PASS(0) PASS(1) PASS(2) PASS(3) PASS(4) PASS(5) PASS(6) PASS(7) PASS(8) PASS(9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5)
PASS(60) PASS(61) PASS(62) PASS(63) PASS(64) PASS(65) PASS(66) PASS(67)
#define EACH(n) (void *)pass_##n,
#define EACH_TEN(t) EACH(t##0) EACH(t##1) EACH(t##2) EACH(t##3) EACH(t##4) EACH(t##5) EACH(t##6) EACH(t##7) EACH(t##8) EACH(t##9)
static void *PASSES[COUNT] = {
    EACH(0) EACH(1) EACH(2) EACH(3) EACH(4) EACH(5) EACH(6) EACH(7) EACH(8) EACH(9)
    EACH_TEN(1) EACH_TEN(2) EACH_TEN(3) EACH_TEN(4) EACH_TEN(5)
    EACH(60) EACH(61) EACH(62) EACH(63) EACH(64) EACH(65) EACH(66) EACH(67)
};

/* As of p11-kit's modules: what was initialised through one table cannot be used through another. */
static table *last;
static ulong not_initialised(void) { return 0x190; }

ulong C_GetFunctionList(table **list) {
    char line[1024], path[1000];
    FILE *rules = configuration();
    function get = NULL;
    int each_time = 0;
    while (rules && fgets(line, sizeof line, rules)) {
        if (sscanf(line, "backend %999s", path) == 1) get = symbol(path, "C_GetFunctionList");
        if (!strncmp(line, "table-each-time", 15)) each_time = 1;
    }
    if (rules) fclose(rules);
    if (!get || get((word)&theirs, 0, 0, 0, 0, 0, 0, 0) != OK) return 5;
    ours.major = 2;
    ours.minor = 40;
    memcpy(ours.functions, PASSES, sizeof PASSES);
    *list = &ours;
    if (each_time) { /* only the last one that was asked for is ever initialised */
        table *own = calloc(1, sizeof *own);
        *own = ours;
        for (int i = 0; last && i < COUNT; i++) last->functions[i] = (void *)not_initialised;
        last = own;
        *list = own;
    }
    return OK;
}
