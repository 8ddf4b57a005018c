/* A libnvidia-ml.so.1 without a driver: every answer is read anew from the file named by FAKE_NVML_SCRIPT.
 *
 * Its lines are "KEY VALUE". A GPU is a number, a MIG device of it "0.mig.1":
 *   driver 550.90.07           the driver is loaded; without this line it is not
 *   boot 1                     another number: the driver was loaded anew, sessions from before are void
 *   count 2                    GPUs
 *   0.uuid GPU-...             a figure of a GPU; without its line it is not supported
 *   0.mig.1.uuid MIG-...       a MIG device
 *   event.1 0 79 4294967295    the first event of a session: GPU, XID and GPU instance
 *   error.FUNCTION CODE        what the function returns; error.FUNCTION.DEVICE: for this device
 *   hang.FUNCTION 1            the function does not return while this line is there
 * Structures and codes are those of NVML's reference, https://docs.nvidia.com/deploy/nvml-api/.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_FOUND = 6, NOT_LOADED = 9, TIMED_OUT = 10 };
enum { GPUS = 16, INSTANCES = 8, LINE = 512, HANG_MILLISECONDS = 5 };

typedef struct { char key[24]; } *device_t;
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2_t;
typedef struct { unsigned gpu, memory; } utilization_t;
typedef struct {
    char legacy_bus_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
} pci_t;
typedef struct { unsigned version, sensor; int celsius; } temperature_t;
typedef struct {
    unsigned field, scope;
    long long timestamp, latency;
    unsigned type, result;
    unsigned long long value;
} field_t;
typedef struct {
    device_t device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
} event_t;
typedef struct {
    unsigned unused[6], gpu_slices, compute_slices;
    unsigned long long mebibytes;
} attributes_t;

static struct { char key[24]; } gpus[GPUS], instances[GPUS][INSTANCES];
static int is_initialized, events_taken, event_set;
static char boot[LINE];

/* The value of this key, in `value`; whether it is there. */
static int look_up(const char *key, char value[LINE])
{
    const char *path = getenv("FAKE_NVML_SCRIPT");
    FILE *script = path ? fopen(path, "r") : NULL;
    size_t length = strlen(key);
    int is_found = 0;
    while (script && !is_found && fgets(value, LINE, script)) {
        value[strcspn(value, "\n")] = 0;
        if (!strncmp(value, key, length) && value[length] == ' ') {
            memmove(value, value + length + 1, strlen(value + length + 1) + 1);
            is_found = 1;
        }
    }
    if (script)
        fclose(script);
    return is_found;
}

static int look_up_of(const char *device, const char *name, char value[LINE])
{
    char key[LINE];
    snprintf(key, sizeof key, "%s.%s", device, name);
    return look_up(key, value);
}

/* What a function has to return before it does anything; waits while it is to hang. */
static int failure(const char *function, const char *device)
{
    char key[LINE], value[LINE];
    const struct timespec pause = {0, HANG_MILLISECONDS * 1000000L};
    snprintf(key, sizeof key, "hang.%s", function);
    while (look_up(key, value))
        nanosleep(&pause, NULL);
    snprintf(key, sizeof key, "error.%s.%s", function, device);
    if (look_up(key, value))
        return atoi(value);
    return look_up_of("error", function, value) ? atoi(value) : OK;
}

/* The same for a function that needs a session that is still good. */
static int session_failure(const char *function, const char *device)
{
    char now[LINE] = "";
    if (!is_initialized)
        return UNINITIALIZED;
    look_up("boot", now);
    return strcmp(now, boot) ? UNINITIALIZED : failure(function, device);
}

static int text(const char *function, device_t device, const char *name, char *to, unsigned size)
{
    char value[LINE];
    int failed = session_failure(function, device->key);
    if (failed)
        return failed;
    if (!look_up_of(device->key, name, value))
        return NOT_SUPPORTED;
    snprintf(to, size, "%s", value);
    return OK;
}

static int number(const char *function, device_t device, const char *name, unsigned long long *to)
{
    char value[32];
    int failed = text(function, device, name, value, sizeof value);
    if (!failed)
        *to = strtoull(value, NULL, 10);
    return failed;
}

static int small(const char *function, device_t device, const char *name, unsigned *to)
{
    unsigned long long value = 0;
    int failed = number(function, device, name, &value);
    if (!failed)
        *to = (unsigned)value;
    return failed;
}

int nvmlInitWithFlags(unsigned flags)
{
    char value[LINE];
    int failed = failure("nvmlInitWithFlags", "");
    (void)flags;
    if (failed)
        return failed;
    if (!look_up("driver", value))
        return NOT_LOADED;
    boot[0] = 0;
    look_up("boot", boot);
    is_initialized = 1;
    return OK;
}

int nvmlShutdown(void)
{
    int failed = is_initialized ? OK : UNINITIALIZED;
    is_initialized = 0;
    return failed;
}

const char *nvmlErrorString(int code)
{
    (void)code;
    return "an error of the fake driver";
}

int nvmlSystemGetDriverVersion(char *to, unsigned size)
{
    char value[LINE];
    int failed = session_failure("nvmlSystemGetDriverVersion", "");
    if (!failed && look_up("driver", value))
        snprintf(to, size, "%s", value);
    return failed;
}

int nvmlDeviceGetCount_v2(unsigned *to)
{
    char value[LINE];
    int failed = session_failure("nvmlDeviceGetCount_v2", "");
    if (!failed)
        *to = look_up("count", value) ? (unsigned)atoi(value) : 0;
    return failed;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t *to)
{
    char key[24];
    snprintf(key, sizeof key, "%u", index);
    int failed = session_failure("nvmlDeviceGetHandleByIndex_v2", key);
    if (failed)
        return failed;
    if (index >= GPUS)
        return INVALID_ARGUMENT;
    memcpy(gpus[index].key, key, sizeof key);
    *to = (device_t)&gpus[index];
    return OK;
}

int nvmlDeviceGetUUID(device_t device, char *to, unsigned size)
{
    return text("nvmlDeviceGetUUID", device, "uuid", to, size);
}

int nvmlDeviceGetName(device_t device, char *to, unsigned size)
{
    return text("nvmlDeviceGetName", device, "name", to, size);
}

int nvmlDeviceGetMinorNumber(device_t device, unsigned *to)
{
    return small("nvmlDeviceGetMinorNumber", device, "minor", to);
}

int nvmlDeviceGetPciInfo_v3(device_t device, pci_t *to)
{
    return text("nvmlDeviceGetPciInfo_v3", device, "pci", to->bus_id, sizeof to->bus_id);
}

int nvmlDeviceGetClockInfo(device_t device, int domain, unsigned *to)
{
    return small("nvmlDeviceGetClockInfo", device, domain == 1 ? "clock.sm" : "clock.memory", to);
}

int nvmlDeviceGetTemperatureV(device_t device, temperature_t *to)
{
    return small("nvmlDeviceGetTemperatureV", device, "temperature", (unsigned *)&to->celsius);
}

int nvmlDeviceGetTemperature(device_t device, int sensor, unsigned *to)
{
    (void)sensor;
    return small("nvmlDeviceGetTemperature", device, "temperature", to);
}

int nvmlDeviceGetFieldValues(device_t device, int count, field_t *fields)
{
    int failed = session_failure("nvmlDeviceGetFieldValues", device->key);
    for (int at = 0; !failed && at < count; at++)
        fields[at].result = number("nvmlDeviceGetFieldValues", device, "temperature.memory", &fields[at].value);
    return failed;
}

int nvmlDeviceGetPowerUsage(device_t device, unsigned *to)
{
    return small("nvmlDeviceGetPowerUsage", device, "milliwatts", to);
}

int nvmlDeviceGetTotalEnergyConsumption(device_t device, unsigned long long *to)
{
    return number("nvmlDeviceGetTotalEnergyConsumption", device, "millijoules", to);
}

int nvmlDeviceGetUtilizationRates(device_t device, utilization_t *to)
{
    int failed = small("nvmlDeviceGetUtilizationRates", device, "utilization.gpu", &to->gpu);
    return failed ? failed
                  : small("nvmlDeviceGetUtilizationRates", device, "utilization.memory", &to->memory);
}

int nvmlDeviceGetEncoderUtilization(device_t device, unsigned *to, unsigned *microseconds)
{
    *microseconds = 167000;
    return small("nvmlDeviceGetEncoderUtilization", device, "utilization.encoder", to);
}

int nvmlDeviceGetDecoderUtilization(device_t device, unsigned *to, unsigned *microseconds)
{
    *microseconds = 167000;
    return small("nvmlDeviceGetDecoderUtilization", device, "utilization.decoder", to);
}

int nvmlDeviceGetMemoryInfo_v2(device_t device, memory_v2_t *to)
{
    const char *function = "nvmlDeviceGetMemoryInfo_v2";
    int failed = number(function, device, "memory.total", &to->total);
    if (failed || (failed = number(function, device, "memory.used", &to->used)))
        return failed;
    to->reserved = 0;
    number(function, device, "memory.reserved", &to->reserved);
    to->free = to->total - to->used - to->reserved;
    return OK;
}

int nvmlDeviceGetMemoryInfo(device_t device, memory_t *to)
{
    const char *function = "nvmlDeviceGetMemoryInfo";
    unsigned long long reserved = 0;
    int failed = number(function, device, "memory.total", &to->total);
    if (failed || (failed = number(function, device, "memory.used", &to->used)))
        return failed;
    number(function, device, "memory.reserved", &reserved);
    to->used += reserved;
    to->free = to->total - to->used;
    return OK;
}

int nvmlDeviceGetTotalEccErrors(device_t device, int error, int counter, unsigned long long *to)
{
    static const char *const names[2][2] = {
        {"ecc.single.volatile", "ecc.single.aggregate"}, {"ecc.double.volatile", "ecc.double.aggregate"}};
    return number("nvmlDeviceGetTotalEccErrors", device, names[error][counter], to);
}

int nvmlDeviceGetMigMode(device_t device, unsigned *current, unsigned *pending)
{
    int failed = small("nvmlDeviceGetMigMode", device, "mig", current);
    *pending = *current;
    return failed;
}

int nvmlDeviceGetMaxMigDeviceCount(device_t device, unsigned *to)
{
    int failed = session_failure("nvmlDeviceGetMaxMigDeviceCount", device->key);
    *to = INSTANCES;
    return failed;
}

int nvmlDeviceGetMigDeviceHandleByIndex(device_t device, unsigned index, device_t *to)
{
    char key[24], value[LINE];
    int failed = session_failure("nvmlDeviceGetMigDeviceHandleByIndex", device->key);
    if (failed)
        return failed;
    if (index >= INSTANCES)
        return INVALID_ARGUMENT;
    snprintf(key, sizeof key, "%d.mig.%u", atoi(device->key), index);
    if (!look_up_of(key, "uuid", value))
        return NOT_FOUND;
    memcpy(instances[atoi(device->key)][index].key, key, sizeof key);
    *to = (device_t)&instances[atoi(device->key)][index];
    return OK;
}

int nvmlDeviceGetGpuInstanceId(device_t device, unsigned *to)
{
    return small("nvmlDeviceGetGpuInstanceId", device, "instance", to);
}

int nvmlDeviceGetAttributes_v2(device_t device, attributes_t *to)
{
    int failed = small("nvmlDeviceGetAttributes_v2", device, "slices", &to->gpu_slices);
    return failed ? failed : number("nvmlDeviceGetAttributes_v2", device, "mebibytes", &to->mebibytes);
}

int nvmlEventSetCreate(void **to)
{
    *to = &event_set;
    events_taken = 0;
    return session_failure("nvmlEventSetCreate", "");
}

int nvmlEventSetFree(void *set)
{
    (void)set;
    return OK;
}

int nvmlDeviceRegisterEvents(device_t device, unsigned long long types, void *set)
{
    (void)types, (void)set;
    return session_failure("nvmlDeviceRegisterEvents", device->key);
}

int nvmlEventSetWait_v2(void *set, event_t *to, unsigned milliseconds)
{
    char key[24], value[LINE];
    unsigned index, xid, instance;
    int failed = session_failure("nvmlEventSetWait_v2", "");
    (void)set, (void)milliseconds;
    if (failed)
        return failed;
    snprintf(key, sizeof key, "event.%d", events_taken + 1);
    if (!look_up(key, value) || sscanf(value, "%u %u %u", &index, &xid, &instance) != 3 || index >= GPUS)
        return TIMED_OUT;
    events_taken++;
    to->device = (device_t)&gpus[index];
    to->type = 8;
    to->data = xid;
    to->gpu_instance = instance;
    to->compute_instance = 0;
    return OK;
}
