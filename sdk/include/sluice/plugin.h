/* The plugin ABI of Sluice, revision 1. Plain C11; the C++ layer in sluice.hpp stands on it.
 *
 * A plugin is a shared object that exports one constant symbol, `sluice_entry`, and links to
 * nothing of Sluice. It describes one or more node types as data; the host creates nodes of them.
 *
 * Conventions
 *  - Counts and positions are in frames (one sample for every channel), never in samples or bytes.
 *  - Times are nanoseconds of the host's clock (CLOCK_MONOTONIC, or virtual time), SLUICE_NO_TIME
 * if unknown.
 *  - Strings are UTF-8, zero terminated, and owned by the side that handed them out.
 *  - Data structs begin with `struct_size` and grow only at their end. Element i of an array of
 * such structs lies i * (struct_size of element 0) bytes behind the first. Read no member that lies
 *    beyond struct_size.
 *  - Function tables never grow: more comes as extensions asked for by id ("sluice.NAME/REVISION",
 *    third parties "com.example.NAME/REVISION").
 *  - No pointer given in a call outlives the call unless its comment says so. No exception crosses.
 *  - Flags and reserved members not named here are zero.
 *
 * Thread classes, the last thing in the comment of each function
 *  [control]  not real time, may block; one call at a time per node
 *  [audio]    real time: no allocation, lock, system call, file, log; one call at a time per node
 *  [worker]   the own thread of a threaded node, inside run()
 *  [any]      thread safe and non-blocking
 * A class is a promise about a call, not an operating system thread.
 *
 * Life of a node
 *  create -> describe* -> prepare -> (process... | run | start, stop) -> release -> destroy
 *  `release` and `prepare` may be repeated. Each failure leaves the node as it was before the call.
 */
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_ABI_MAJOR 1
#define SLUICE_ABI_MINOR 0

#define SLUICE_NO_TIME INT64_MIN
#define SLUICE_FOREVER INT64_MAX

/* ---- Results -------------------------------------------------------------------------------- */

/* Outcome of a call: zero or a negative class of error. The sentence that belongs to an error goes
 * to sluice_host.fail before the call returns. */
typedef int32_t sluice_result;
enum {
  SLUICE_OK = 0,
  SLUICE_ERROR_ARGUMENT = -1,    /* a value the caller should not have given */
  SLUICE_ERROR_FORMAT = -2,      /* audio format not possible */
  SLUICE_ERROR_DEVICE = -3,      /* device absent, busy or lost */
  SLUICE_ERROR_NETWORK = -4,     /* peer, name or route */
  SLUICE_ERROR_PERMISSION = -5,  /* the system refused */
  SLUICE_ERROR_MEMORY = -6,      /* out of memory or of a fixed table */
  SLUICE_ERROR_STATE = -7,       /* right call, wrong moment */
  SLUICE_ERROR_UNSUPPORTED = -8, /* not offered */
  SLUICE_ERROR_TIMEOUT = -9,     /* a deadline passed */
  SLUICE_ERROR_NOT_FOUND = -10,  /* no such file, name, extension */
  SLUICE_ERROR_IO = -11,         /* file or disk */
  SLUICE_ERROR_INTERNAL = -12,   /* broken promise, unexpected exception */
  SLUICE_ERROR_STOPPED = -13,    /* the node is to stop: return from run() soon */
  SLUICE_ERROR_AGAIN = -14       /* nothing to be had without waiting */
};

/* Outcome of one process call. */
typedef uint32_t sluice_status;
enum {
  SLUICE_STATUS_INVALID = 0,
  SLUICE_STATUS_CONTINUE = 1, /* went on as far as it could or wanted */
  SLUICE_STATUS_NEED_INPUT =
      2, /* nothing more until an input offers more: see sluice_input.wanted */
  SLUICE_STATUS_NEED_ROOM = 3, /* nothing more until an output offers more room */
  SLUICE_STATUS_DRAINED = 4,   /* finished: the outputs end behind what was produced */
  SLUICE_STATUS_FAILED = 5     /* failed, see sluice_host.fail; the outputs end */
};

/* ---- Formats -------------------------------------------------------------------------------- */

/* Sample formats: interleaved, in the byte order of the machine. Floats are nominally -1..1;
 * integers are 2^(bits-1) times that. */
typedef uint32_t sluice_sample_format;
enum {
  SLUICE_SAMPLE_UNSET = 0,
  SLUICE_SAMPLE_F32 = 1,
  SLUICE_SAMPLE_S16 = 2,
  SLUICE_SAMPLE_S24 = 3, /* packed, 3 bytes */
  SLUICE_SAMPLE_S32 = 4
};
#define SLUICE_SAMPLE_BIT(format) (1u << (format))
#define SLUICE_SAMPLE_ANY                                                        \
  (SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32) | SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S16) | \
   SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S24) | SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S32))

#define SLUICE_MAX_CHANNELS 64u
#define SLUICE_MIN_RATE_HZ 1000u
#define SLUICE_MAX_RATE_HZ 768000u

/* One PCM format. All members are non-zero once negotiated. */
typedef struct sluice_format {
  uint32_t struct_size;
  sluice_sample_format sample_format;
  uint32_t channels; /* 1..SLUICE_MAX_CHANNELS */
  uint32_t rate_hz;  /* SLUICE_MIN_RATE_HZ..SLUICE_MAX_RATE_HZ */
} sluice_format;

/* A set of formats a port can have: any sample format in the mask with any channel count and any
 * rate within the ranges (inclusive). `preferred` is the one to choose where the mask leaves a
 * choice. */
typedef struct sluice_format_offer {
  uint32_t struct_size;
  uint32_t sample_formats;        /* mask of SLUICE_SAMPLE_BIT */
  sluice_sample_format preferred; /* SLUICE_SAMPLE_UNSET: whatever the other end has */
  uint32_t channels_minimum, channels_maximum;
  uint32_t rate_hz_minimum, rate_hz_maximum;
} sluice_format_offer;

/* ---- Ports ---------------------------------------------------------------------------------- */

enum { SLUICE_INPUT = 1, SLUICE_OUTPUT = 2 };
enum { SLUICE_PCM = 1, SLUICE_PACKETS = 2 };

/* Clock of a port: what decides how fast frames move through it. */
enum {
  SLUICE_CLOCK_NONE = 1,      /* as fast as the neighbour (files, filters, pipes) */
  SLUICE_CLOCK_MONOTONIC = 2, /* the host's clock (paced sinks, real-time sources) */
  SLUICE_CLOCK_DEVICE = 3,    /* a device, named by clock_id */
  SLUICE_CLOCK_REMOTE = 4     /* a network sender */
};

enum {
  SLUICE_PORT_OPTIONAL = 1u << 0,           /* input that may stay unconnected */
  SLUICE_PORT_LIVE = 1u << 1,               /* its data cannot wait: back-pressure loses frames */
  SLUICE_PORT_SAME_SAMPLE_FORMAT = 1u << 2, /* output: as the first PCM input */
  SLUICE_PORT_SAME_CHANNELS = 1u << 3,      /* output: as the first PCM input */
  SLUICE_PORT_SAME_RATE = 1u << 4           /* output: as the first PCM input */
};
#define SLUICE_PORT_SAME_FORMAT \
  (SLUICE_PORT_SAME_SAMPLE_FORMAT | SLUICE_PORT_SAME_CHANNELS | SLUICE_PORT_SAME_RATE)

/* A port as its type declares it. Ports of a type are indexed in the order of the array, inputs and
 * outputs together. */
typedef struct sluice_port {
  uint32_t struct_size;
  uint32_t direction; /* SLUICE_INPUT, SLUICE_OUTPUT */
  uint32_t kind;      /* SLUICE_PCM, SLUICE_PACKETS */
  uint32_t flags;     /* SLUICE_PORT_* */
  uint32_t clock;     /* SLUICE_CLOCK_* */
  const char* key;    /* [a-z][a-z0-9_]*, unique among the ports of the type */
  const char* description;
  const sluice_format_offer* offers; /* in order of preference; null: anything */
  uint32_t offer_count;
} sluice_port;

/* The same, as a node with its parameters knows it: see sluice_node_functions.describe. The host
 * fills it in from sluice_port; the node changes what it knows better. */
typedef struct sluice_port_info {
  uint32_t struct_size;
  uint32_t flags;
  uint32_t clock;
  const char* clock_id; /* valid until the next describe or destroy of the node; null if none */
  const sluice_format_offer* offers; /* valid until the next describe or destroy of the node */
  uint32_t offer_count;
} sluice_port_info;

/* ---- Parameters and statistics -------------------------------------------------------------- */

enum {
  SLUICE_NUMBER = 1, /* value.number */
  SLUICE_INTEGER,    /* value.number, without fraction, |n| <= 2^53 */
  SLUICE_BOOLEAN,    /* value.number is 0 or 1 */
  SLUICE_TEXT,       /* value.text */
  SLUICE_CHOICE,     /* value.number is the index into choices, value.text the choice */
  SLUICE_LIST,       /* value.list: count numbers */
  SLUICE_MATRIX      /* value.list: rows of count / rows numbers each */
};

enum {
  SLUICE_PARAMETER_LIVE =
      1u << 0, /* may change while running; numbers, integers, booleans, choices */
  SLUICE_PARAMETER_SECRET = 1u << 1,     /* never shown, logged or written */
  SLUICE_PARAMETER_REQUIRED = 1u << 2,   /* has no default */
  SLUICE_PARAMETER_INPUT_PATH = 1u << 3, /* names a file that must exist */
  SLUICE_PARAMETER_OUTPUT_PATH = 1u << 4 /* names a file the node writes */
};

/* A parameter. The host validates values and fills in defaults: a node never meets a missing or
 * forbidden value. */
typedef struct sluice_parameter {
  uint32_t struct_size;
  uint32_t kind;
  uint32_t flags;
  const char* key;            /* [a-z][a-z0-9_]*, ends in its unit: hold_ms, gain_db */
  const char* unit;           /* "ms", "dB", "Hz", "frames" ...; null if none */
  const char* description;    /* one sentence */
  double minimum, maximum;    /* numbers, integers and members of lists; inclusive */
  double default_number;      /* number, integer, boolean; index of a choice */
  const char* default_text;   /* text; null means "" */
  const char* const* choices; /* choice */
  uint32_t choice_count;
  /* Non-null: two nodes that take the same exclude each other ("tcp-port"). Of several parameters
   * with one claim the last says what is taken, those before it where; "" and "*" are anywhere. */
  const char* claim;
  /* The claim holds only while another parameter has this value: "mode=listen". Null: always. The
   * texts "" and "0" claim nothing. A type that opens devices waits while its device is taken. */
  const char* claim_when;
} sluice_parameter;

typedef struct sluice_value {
  uint32_t struct_size;
  uint32_t kind;
  double number;
  const char* text;   /* valid until the parameter changes or the node is destroyed */
  const double* list; /* likewise */
  uint32_t count, rows;
} sluice_value;

enum { SLUICE_COUNTER = 1, SLUICE_GAUGE = 2 };

/* A statistic that only the node can know. Counters only grow. */
typedef struct sluice_statistic {
  uint32_t struct_size;
  uint32_t kind;
  const char* key;
  const char* unit;
  const char* description;
  /* Key of the parameter it is measured against, as a level against its threshold; null if none. */
  const char* against;
} sluice_statistic;

/* Where a node writes a statistic: owned by the host, one 64-bit word each, in the order of the
 * type's array. A counter is a uint64_t, a gauge the bits of a double. Written by the node alone,
 * as an atomic relaxed store; [any]. */
typedef struct sluice_slot {
  uint64_t word;
} sluice_slot;

/* ---- Marks, events, packets ----------------------------------------------------------------- */

/* An event at a frame position in a stream. */
enum {
  SLUICE_MARK_GAP = 1, /* `value` frames from `position` on are filler: data was missing */
  SLUICE_MARK_DISCONTINUITY =
      2, /* `value` frames are missing in front of `position` (0: unknown) */
  SLUICE_MARK_SILENCE_BEGINS = 3, /* from here on deliberate silence (zeros or nothing) */
  SLUICE_MARK_SILENCE_ENDS = 4,
  SLUICE_MARK_END = 5 /* the last frame is the one before `position` */
};
typedef struct sluice_mark {
  uint32_t struct_size;
  uint32_t kind;
  uint64_t position;
  int64_t capture_ns; /* time of capture of the frame at `position`, or SLUICE_NO_TIME */
  uint64_t value;
} sluice_mark;

/* What a reader tells the nodes in front of it. */
enum {
  SLUICE_UPSTREAM_RECONNECTED = 1, /* a new peer: it has heard nothing yet */
  SLUICE_UPSTREAM_STARVED = 2,     /* ran empty while it should have played */
  SLUICE_UPSTREAM_ASLEEP = 3,      /* closed for silence */
  SLUICE_UPSTREAM_AWAKE = 4
};

enum { SLUICE_EVENT_PARAMETER = 1, SLUICE_EVENT_UPSTREAM = 2 };
/* What happens inside a block, in order of `frame`. Offered once: what lies beyond the frames the
 * node consumes takes effect behind the last of them. */
typedef struct sluice_event {
  uint32_t struct_size;
  uint32_t kind;
  uint32_t frame; /* offset into the block's first input (outputs, for a node without) */
  uint32_t index; /* parameter: its index; upstream: the output port it came in by */
  uint32_t code;  /* upstream: SLUICE_UPSTREAM_* */
  double value;   /* parameter: the new value */
} sluice_event;

enum {
  SLUICE_PACKET_CONFIG = 1u << 0, /* headers a decoder needs first */
  SLUICE_PACKET_KEY = 1u << 1,    /* decoding may start here */
  SLUICE_PACKET_DISCONTINUITY = 1u << 2,
  SLUICE_PACKET_LOST = 1u << 3,    /* stands for one that never came; no data */
  SLUICE_PACKET_REPAIRED = 1u << 4 /* restored by error correction */
};
/* One unit of encoded audio. */
typedef struct sluice_packet {
  uint32_t struct_size;
  uint32_t flags;
  const void* data; /* valid until the packet is popped */
  uint32_t size_bytes;
  uint32_t stream;   /* source identifier, such as an SSRC */
  uint64_t position; /* media time of its first frame */
  uint64_t duration_frames;
  uint64_t sequence; /* extended to 64 bits */
  int64_t capture_ns, arrival_ns;
} sluice_packet;

/* ---- Preparing a node ----------------------------------------------------------------------- */

/* Facts of one port while the node is prepared, and the node's answers. */
typedef struct sluice_port_setup {
  uint32_t struct_size;
  uint32_t is_connected;
  sluice_format format; /* PCM ports */
  /* Answers; zero where the node has nothing to say. */
  uint64_t hold_frames;      /* input: the most it must see before it emits anything */
  uint64_t latency_frames;   /* output: late against the first PCM input; sink: until it is heard */
  uint32_t max_block_frames; /* the most it takes or makes in one call; 0: no limit */
  double minimum_ms, target_ms, maximum_ms; /* input: wanted buffering; output: target_ms is kept */
  /* A fact of an input: a source in front of it is live (SLUICE_PORT_LIVE), so what this node does
   * not take in time is lost. */
  uint32_t is_fed_live;
  /* A fact of an input: right in front of it is a bridge, to which what a device holds of what was
   * read here is a part of what lies between two clocks; see sluice_play_host. */
  uint32_t is_bridged;
} sluice_port_setup;

enum {
  SLUICE_MODE_REAL_TIME = 1,
  SLUICE_MODE_OFFLINE = 2 /* virtual time, as fast as it goes: wait for nothing but `wait` */
};
typedef struct sluice_setup {
  uint32_t struct_size;
  uint32_t mode;
  /* The host offers at most this many frames in a process call, or what the input wanted. */
  uint32_t block_frames;
  uint32_t port_count;
  sluice_port_setup* ports; /* in the order of the type's ports */
  uint64_t seed; /* for random generators: the same for the same node in the same graph */
} sluice_setup;

/* ---- Passive nodes -------------------------------------------------------------------------- */

enum {
  SLUICE_INPUT_ENDED = 1u << 0, /* nothing follows the frames offered */
  SLUICE_INPUT_IDLE = 1u << 1   /* its sources are silent, disconnected or held */
};

/* A span of one input. PCM: `data` holds `frames` frames. Packet ports: see sluice_packets. */
typedef struct sluice_input {
  uint32_t struct_size;
  uint32_t flags;
  const void* data;
  uint32_t frames;   /* offered */
  uint32_t consumed; /* set by the node: 0..frames */
  uint32_t wanted; /* set by the node with NEED_INPUT: call again with at least this many; 0: any */
  uint32_t mark_count;
  uint64_t position;  /* of the first frame */
  int64_t capture_ns; /* of the first frame, or SLUICE_NO_TIME */
  /* In order, up to the end of the span. What lies at or before position + consumed counts as seen
   * after the call; the rest is offered again. */
  const sluice_mark* marks;
} sluice_input;

typedef struct sluice_output {
  uint32_t struct_size;
  uint32_t flags;
  void* data;
  uint32_t frames;    /* room */
  uint32_t produced;  /* set by the node: 0..frames */
  uint64_t position;  /* of the first frame */
  int64_t capture_ns; /* set by the node if not input minus latency; the host fills it in before */
} sluice_output;

typedef struct sluice_block {
  uint32_t struct_size;
  uint32_t input_count, output_count, event_count;
  sluice_input* inputs;   /* in the order of the type's input ports */
  sluice_output* outputs; /* in the order of the type's output ports */
  const sluice_event* events;
} sluice_block;

typedef struct sluice_node sluice_node; /* the plugin's own */

#define SLUICE_PASSIVE "sluice.passive/1"
typedef struct sluice_passive {
  /* Consumes what it can of the inputs and produces what it can. Called again while it makes
   * progress. An input that has ended and is empty keeps being offered until the node answers
   * SLUICE_STATUS_DRAINED. [audio] */
  sluice_status (*process)(sluice_node* node, sluice_block* block);
  /* Forgets history (delay lines, envelopes); parameters stay. May be null. [audio] */
  void (*reset)(sluice_node* node);
} sluice_passive;

/* ---- Threaded nodes ------------------------------------------------------------------------- */

#define SLUICE_THREADED "sluice.threaded/1"
typedef struct sluice_threaded {
  /* Runs until its work is done (SLUICE_OK: outputs end), it fails, or a wait answers
   * SLUICE_ERROR_STOPPED. Blocks nowhere but in sluice_worker_host.wait and in files. [worker] */
  sluice_result (*run)(sluice_node* node);
} sluice_threaded;

/* ---- Device nodes --------------------------------------------------------------------------- */

#define SLUICE_DEVICE "sluice.device/1"
typedef struct sluice_device {
  /* Starts calling sluice_device_host.cycle. [control] */
  sluice_result (*start)(sluice_node* node);
  /* Returns when no call of cycle is under way and none will come. [control] */
  void (*stop)(sluice_node* node);
} sluice_device;

/* ---- Types and the library ------------------------------------------------------------------ */

typedef struct sluice_host sluice_host;

/* Functions every node has. */
typedef struct sluice_node_functions {
  /* Makes a node; `host` stays valid until destroy. May read parameters; opens nothing. [control]
   */
  sluice_result (*create)(const sluice_host* host, sluice_node** node);
  /* [control] */
  void (*destroy)(sluice_node* node);
  /* Says what port `port` can be, with the parameters as they are. For an output, `inputs` holds
   * the formats of the PCM inputs in their order (null for an input port). May open a file to look.
   * May be null: the type's declaration holds. [control] */
  sluice_result (*describe)(sluice_node* node, uint32_t port, const sluice_format* inputs,
                            sluice_port_info* info);
  /* Allocates and opens all that running needs; answers in setup->ports. [control] */
  sluice_result (*prepare)(sluice_node* node, sluice_setup* setup);
  /* Undoes prepare. [control] */
  void (*release)(sluice_node* node);
  /* The table for an id (SLUICE_PASSIVE, SLUICE_THREADED, SLUICE_DEVICE or an extension), or null.
   * The same answer for life. [any] */
  const void* (*get_interface)(const sluice_node* node, const char* id);
} sluice_node_functions;

enum { SLUICE_EXECUTION_PASSIVE = 1, SLUICE_EXECUTION_THREADED = 2, SLUICE_EXECUTION_DEVICE = 3 };

enum {
  SLUICE_TYPE_HEAVY = 1u << 0, /* never joins a device's lane unless the graph says so */
  /* In every call it produces on each output as many frames as it consumes of its first PCM input;
   * only behind the end of that input it may produce more, at most its latency. The host forwards
   * marks, shifted by the latency. Others forward their own. */
  SLUICE_TYPE_EQUAL_COUNTS = 1u << 1,
  /* May be inserted by the host where two ports do not agree. It then sets the parameter of that
   * name: "format" (choice or text: f32, s16, s24, s32), "rate_hz", "channels". */
  SLUICE_TYPE_ADAPTS_SAMPLE_FORMAT = 1u << 2,
  SLUICE_TYPE_ADAPTS_RATE = 1u << 3,
  SLUICE_TYPE_ADAPTS_CHANNELS = 1u << 4,
  /* One PCM input and output of the same format, at the pace of two clocks: the host may insert it
   * where these meet. See sluice_reader_host. Gauges writer_ppm and reader_ppm are the two clocks
   * against the host's; counter starts is above 0 once it carries audio. None has to be there. */
  SLUICE_TYPE_BRIDGES_CLOCKS = 1u << 5,
  /* Opens one of several devices; its library can list them, see SLUICE_DEVICE_LIST. */
  SLUICE_TYPE_OPENS_DEVICES = 1u << 6,
  /* Waits before it tries again what has failed, and skips the wait when asked: SLUICE_WAIT_RETRY.
   */
  SLUICE_TYPE_RETRIES = 1u << 7,
  /* A source that can run as fast as what reads it: see sluice_reader_host. */
  SLUICE_TYPE_FOLLOWS_READER = 1u << 8,
  /* Stands for a family: "ID/NAME" is a type of its own for each NAME that the library knows, and
   * ID alone makes no node. See SLUICE_TYPE_FAMILIES. */
  SLUICE_TYPE_FAMILY = 1u << 9
};

/* A kind of node, as data. */
typedef struct sluice_type {
  uint32_t struct_size;
  uint32_t execution; /* SLUICE_EXECUTION_* */
  uint32_t flags;     /* SLUICE_TYPE_* */
  const char* id;     /* "filter.gate"; third parties: "com.example.filter.foo" */
  const char* name;
  const char* description; /* one sentence first, details after */
  const sluice_port* ports;
  uint32_t port_count;
  uint32_t parameter_count;
  const sluice_parameter* parameters;
  const sluice_statistic* statistics;
  uint32_t statistic_count;
  const sluice_node_functions* functions;
} sluice_type;

enum { /* how the library was built; the host refuses what cannot run in it */
       SLUICE_BUILD_ADDRESS_SANITIZER = 1u << 0,
       SLUICE_BUILD_THREAD_SANITIZER = 1u << 1
};

/* The type of the one exported symbol. The first four members stay where they are in every
 * revision: the host reads them from the file before it runs any code of it. */
typedef struct sluice_library {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  uint32_t build_flags;
  uint32_t type_count;
  const sluice_type* const* types;
  const char* name;
  const char* version;
  const char* vendor;
  const char* license;                          /* SPDX identifier */
  const void* (*get_extension)(const char* id); /* may be null; [any] */
} sluice_library;

#if defined(__GNUC__)
#define SLUICE_EXPORT __attribute__((visibility("default")))
#else
#define SLUICE_EXPORT
#endif

extern SLUICE_EXPORT const sluice_library sluice_entry;

/* ---- Lists of devices ----------------------------------------------------------------------- */

enum { SLUICE_LISTED_DEFAULT = 1u << 0 /* what a node opens that names none */ };

/* A device that nodes of a type can open. */
typedef struct sluice_listed_device {
  uint32_t struct_size;
  uint32_t flags;        /* SLUICE_LISTED_* */
  const char* parameter; /* key of the type's parameter that takes the selector */
  /* What the parameter takes: means the same device after the next boot, so it is never an index.
   */
  const char* selector;
  const char* name;   /* for people */
  const char* system; /* whose device it is: "PulseAudio", "ALSA", "JACK" */
  const char* remark; /* one sentence to know before opening it: in use by whom; null: none */
  /* Its own, which cost no conversion; 0: unknown. */
  uint32_t channels, rate_hz;
  const sluice_format_offer* offers; /* what it can be opened with; null: unknown */
  uint32_t offer_count;
  double latency_ms; /* what it adds by itself, as it says, at the least; 0: unknown */
} sluice_listed_device;

typedef struct sluice_device_listing {
  uint32_t struct_size;
  void* context;
  /* Takes one device; everything is copied. [control] */
  void (*device)(void* context, const sluice_listed_device* device);
  /* Takes one sentence about the list itself: no server runs, a right is missing. [control] */
  void (*remark)(void* context, const char* sentence);
} sluice_device_listing;

/* An extension of a library with types that have SLUICE_TYPE_OPENS_DEVICES. */
#define SLUICE_DEVICE_LIST "sluice.device-list/1"
typedef struct sluice_device_list {
  /* Hands over every device that nodes of `type` (an id) could open now, and returns when all are;
   * opens none. May wait for a server, for 2 s at most. That there is none to be had is no error,
   * but a remark. [control] */
  void (*list)(const char* type, const sluice_device_listing* listing);
} sluice_device_list;

/* ---- Families of types ---------------------------------------------------------------------- */

/* A member of a family: a plugin of another kind that the library hosts, say. */
typedef struct sluice_listed_member {
  uint32_t struct_size;
  uint32_t reserved;
  const char* name;  /* behind the slash: printable ASCII without blanks and quotes, 1..512 bytes */
  const char* title; /* for people */
  const char* system; /* whose it is: "LV2", "LADSPA" */
  const char* remark; /* one sentence that says why it makes no type; null: it does */
} sluice_listed_member;

typedef struct sluice_member_listing {
  uint32_t struct_size;
  void* context;
  /* Takes one member; everything is copied. [control] */
  void (*member)(void* context, const sluice_listed_member* member);
  /* Takes one sentence about the list itself. [control] */
  void (*remark)(void* context, const char* sentence);
} sluice_member_listing;

/* An extension of a library with types that have SLUICE_TYPE_FAMILY. */
#define SLUICE_TYPE_FAMILIES "sluice.type-families/1"
typedef struct sluice_type_families {
  /* Hands over every member of `family` (an id) that there is now. [control] */
  void (*list)(const char* family, const sluice_member_listing* listing);
  /* The type "FAMILY/NAME", whose id is just that; it and all it points to stay as they are for the
   * life of the process, and the same name has the same answer. Null: there is none, and `fail` was
   * given the sentence why. [control] */
  const sluice_type* (*find)(const char* family, const char* name, void* context,
                             void (*fail)(void* context, const char* sentence));
} sluice_type_families;

/* ---- The host ------------------------------------------------------------------------------- */

enum { SLUICE_LOG_ERROR = 1, SLUICE_LOG_WARNING, SLUICE_LOG_INFO, SLUICE_LOG_DEBUG };

/* Health of a node, shown to people. */
enum {
  SLUICE_STATE_STARTING = 1,
  SLUICE_STATE_WAITING = 2, /* for a peer, a device, data */
  SLUICE_STATE_RUNNING = 3,
  SLUICE_STATE_DEGRADED = 4, /* runs, but somebody should look */
  SLUICE_STATE_LOST = 5,     /* its peer or device went away; it tries again by itself */
  SLUICE_STATE_ASLEEP = 6    /* resting on purpose */
};

/* What the host gives every node. */
struct sluice_host {
  uint32_t struct_size;
  void* context; /* the host's own */
  /* A host extension or null. The same answer for life. [any] */
  const void* (*get_extension)(const sluice_host* host, const char* id);
  /* Attaches the sentence to the failing call, or, with process and run, to the node's end. Copied;
   * from [audio] it must be a literal. [any] */
  void (*fail)(const sluice_host* host, sluice_result result, const char* sentence);
  /* One line in the log under the node's name. [control, worker] */
  void (*log)(const sluice_host* host, uint32_t level, const char* sentence);
  /* The current value of parameter `index`. [control, worker] */
  sluice_result (*value)(const sluice_host* host, uint32_t index, sluice_value* value);
  /* The node's statistics, or null if its type has none. [any] */
  sluice_slot* (*slots)(const sluice_host* host);
  /* The host's clock. [any] */
  int64_t (*now_ns)(const sluice_host* host);
  /* Puts a mark on output `port`, at or behind the position written so far and not before an
   * earlier mark. [audio, worker] */
  void (*mark)(const sluice_host* host, uint32_t port, const sluice_mark* mark);
  /* Tells the nodes in front of input `port` (SLUICE_UPSTREAM_*). [audio, worker] */
  void (*tell_upstream)(const sluice_host* host, uint32_t port, uint32_t code);
  /* Says how the node is; `sentence` (null for none) is logged once per change. [control, worker]
   */
  void (*set_state)(const sluice_host* host, uint32_t state, const char* sentence);
};

/* Waiting, reading and writing of threaded nodes. A span is valid until its end call, and no wait
 * is allowed while one is held: hold it only across code that cannot block. */
enum {
  SLUICE_WAIT_INPUT = 1,  /* PCM: `amount` frames (0: any) or the end; packets: one, or the end */
  SLUICE_WAIT_OUTPUT = 2, /* room for `amount` frames */
  SLUICE_WAIT_DESCRIPTOR = 3, /* `descriptor` with poll(2) events in `amount` */
  SLUICE_WAIT_STREAM = 4, /* `object` (sluice_stream, sluice_listener), SLUICE_NET_* in `amount` */
  SLUICE_WAIT_PARAMETERS = 5, /* a live parameter changed since the last wait that reported it */
  SLUICE_WAIT_MARKS = 6,      /* a mark not read yet on input `port` */
  SLUICE_WAIT_RETRY = 7 /* somebody wants it tried now, not later; see SLUICE_TYPE_RETRIES. Once */
};
typedef struct sluice_wait_item {
  uint32_t struct_size;
  uint32_t kind;
  uint32_t port;
  uint32_t amount;
  int32_t descriptor;
  uint32_t ready; /* set by the host: non-zero if this is why; descriptors: the poll(2) events */
  const void* object;
} sluice_wait_item;

typedef struct sluice_read_span {
  uint32_t struct_size;
  uint32_t flags; /* SLUICE_INPUT_* */
  const void* data;
  uint32_t frames;
  uint64_t position;
  int64_t capture_ns;
} sluice_read_span;

typedef struct sluice_write_span {
  uint32_t struct_size;
  uint32_t frames;
  void* data;
  uint64_t position;
} sluice_write_span;

#define SLUICE_WORKER_HOST "sluice.worker-host/1"
typedef struct sluice_worker_host {
  /* Sleeps until an item is ready (SLUICE_OK), `deadline_ns` has come (SLUICE_ERROR_TIMEOUT) or the
   * node is to stop (SLUICE_ERROR_STOPPED, from then on always). SLUICE_ERROR_STATE while a span is
   * held. With no items it is a sleep. [worker] */
  sluice_result (*wait)(const sluice_host* host, sluice_wait_item* items, uint32_t count,
                        int64_t deadline_ns);
  /* Offers up to `maximum` frames of input `port`; zero frames is no error. [worker] */
  sluice_result (*begin_read)(const sluice_host* host, uint32_t port, uint32_t maximum,
                              sluice_read_span* span);
  /* Consumes the first `frames` of the span. [worker] */
  void (*end_read)(const sluice_host* host, uint32_t port, uint32_t frames);
  /* Offers room for up to `maximum` frames on output `port`. A live output that is full offers less
   * than asked; what the node then throws away it reports with `drop`. [worker] */
  sluice_result (*begin_write)(const sluice_host* host, uint32_t port, uint32_t maximum,
                               sluice_write_span* span);
  /* Publishes the first `frames` of the span; `capture_ns` is the time of capture of its first
   * frame or SLUICE_NO_TIME. [worker] */
  void (*end_write)(const sluice_host* host, uint32_t port, uint32_t frames, int64_t capture_ns);
  /* `frames` frames had no room; counted. Their place becomes silence under a gap mark or, where
   * readers lag for good, the stream jumps, under a discontinuity mark. [worker] */
  void (*drop)(const sluice_host* host, uint32_t port, uint64_t frames);
  /* Takes the next mark of input `port` that lies at or before `position`; SLUICE_ERROR_AGAIN if
   * none. UINT64_MAX: also those ahead of what was read, where one edge alone ends there.
   * [worker] */
  sluice_result (*next_mark)(const sluice_host* host, uint32_t port, uint64_t position,
                             sluice_mark* mark);
  /* Frames that could be read of input `port` now. [worker] */
  uint64_t (*available)(const sluice_host* host, uint32_t port);
  /* Throws the oldest `frames` of input `port` away, counted as lost at its edges under `reason`
   * (a literal). [worker] */
  void (*discard)(const sluice_host* host, uint32_t port, uint64_t frames, const char* reason);
} sluice_worker_host;

/* The thread of a threaded node. */
#define SLUICE_THREAD_HOST "sluice.thread-host/1"
typedef struct sluice_thread_host {
  /* Asks for real-time scheduling (SCHED_FIFO, sched(7)) of the node's thread at `priority`
   * (1..99), or what the system allows of it; a higher one that it has already stays. Returns the
   * priority it has then, 0 for time sharing. `*why_not` is empty if that is no less than asked
   * for, otherwise one sentence that says what would help, valid until the next call. In virtual
   * time nothing is asked for, and 0 returned without a sentence. [worker] */
  uint32_t (*raise_priority)(const sluice_host* host, uint32_t priority, const char** why_not);
} sluice_thread_host;

/* Packet ports: for process (of the node's own call) and for threaded nodes. */
#define SLUICE_PACKET_HOST "sluice.packet-host/1"
typedef struct sluice_packet_host {
  /* Contiguous room for `size_bytes` in the ring of output `port`; SLUICE_ERROR_AGAIN if full.
   * [audio, worker] */
  sluice_result (*reserve)(const sluice_host* host, uint32_t port, uint32_t size_bytes,
                           void** data);
  /* Publishes the reserved packet; packet->data is ignored, size_bytes may be smaller than
   * reserved. [audio, worker] */
  sluice_result (*commit)(const sluice_host* host, uint32_t port, const sluice_packet* packet);
  /* The oldest packet of input `port`; SLUICE_ERROR_AGAIN if none. Stays until popped.
   * [audio, worker] */
  sluice_result (*peek)(const sluice_host* host, uint32_t port, sluice_packet* packet);
  /* [audio, worker] */
  void (*pop)(const sluice_host* host, uint32_t port);
} sluice_packet_host;

/* The clock of a device or of a network sender, published once a period by its owner: at
 * `monotonic_ns`, smoothed, `frames` frames had passed; `ratio` is measured over nominal rate. */
#define SLUICE_CLOCK_HOST "sluice.clock-host/1"
typedef struct sluice_clock_host {
  void (*publish)(const sluice_host* host, uint32_t port, double frames, int64_t monotonic_ns,
                  double ratio); /* [audio, worker] */
} sluice_clock_host;

/* What the reader of an output did last, for types with SLUICE_TYPE_BRIDGES_CLOCKS or
 * SLUICE_TYPE_FOLLOWS_READER. */
typedef struct sluice_reading {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t frames;          /* it has read, or passed over, what lies before this position */
  uint64_t capacity_frames; /* of the ring between the two */
  int64_t time_ns;          /* when it came to that position; SLUICE_NO_TIME if never */
} sluice_reading;

#define SLUICE_READER_HOST "sluice.reader-host/1"
typedef struct sluice_reader_host {
  /* The first reader of output `port`; SLUICE_ERROR_NOT_FOUND if there is none. For types with
   * SLUICE_TYPE_FOLLOWS_READER it is the first one with a thread of its own, behind any nodes with
   * SLUICE_TYPE_EQUAL_COUNTS; what those hold counts as not read. [audio, worker] */
  sluice_result (*last_read)(const sluice_host* host, uint32_t port, sluice_reading* reading);
} sluice_reader_host;

/* For a node that hands what it reads to a device with a buffer of its own. */
#define SLUICE_PLAY_HOST "sluice.play-host/1"
typedef struct sluice_play_host {
  /* Of what was read from input `port` the device had not taken `frames` yet at `monotonic_ns`. For
   * a bridge right in front (sluice_reader_host) these are not read, and from the first call on
   * nothing counts as read but by a call, to be made when the device has taken something;
   * SLUICE_NO_TIME ends that. SLUICE_ERROR_NOT_FOUND: there is no bridge. [audio, worker] */
  sluice_result (*played)(const sluice_host* host, uint32_t port, uint64_t frames,
                          int64_t monotonic_ns);
} sluice_play_host;

/* One period of a device: for every output port of the node (capture) the frames that came in, for
 * every input port (playback) where the frames to be played go. Buffers are interleaved in the
 * port's format, in the order of the ports; null where the device has nothing. */
typedef struct sluice_cycle {
  uint32_t struct_size;
  uint32_t frames;
  int64_t time_ns;             /* when the first captured frame was captured, or now */
  const void* const* captured; /* one for each output port */
  void* const* played;         /* one for each input port */
} sluice_cycle;

#define SLUICE_DEVICE_HOST "sluice.device-host/1"
typedef struct sluice_device_host {
  /* Runs the device's lane once: captured frames go out, every passive node of the lane runs at
   * most once, `played` is filled, with ramped silence where there is not enough. [audio] */
  void (*cycle)(const sluice_host* host, const sluice_cycle* cycle);
} sluice_device_host;

/* ---- Byte streams over the network ---------------------------------------------------------- */

/* TCP, as the host offers it to threaded nodes: real sockets, or in virtual time an in-memory
 * network. Nothing here blocks; waiting is SLUICE_WAIT_STREAM. A stream belongs to the node from
 * connect or accept until close. All [worker] unless said otherwise. */
enum { SLUICE_NET_READ = 1u << 0, SLUICE_NET_WRITE = 1u << 1 };

enum {
  SLUICE_STREAM_CONNECTING = 1, /* name look-up and connection attempts are under way */
  SLUICE_STREAM_OPEN = 2,
  SLUICE_STREAM_FAILED = 3 /* see sluice_stream_info.sentence */
};

typedef struct sluice_stream sluice_stream;
typedef struct sluice_listener sluice_listener;

/* Zero leaves the system's default, except where said. */
typedef struct sluice_stream_options {
  uint32_t struct_size;
  uint32_t no_delay;          /* TCP_NODELAY */
  uint32_t send_buffer_bytes; /* SO_SNDBUF, before connecting */
  uint32_t keepalive_idle_s, keepalive_interval_s, keepalive_count;
  uint32_t user_timeout_ms;    /* TCP_USER_TIMEOUT */
  uint32_t connect_timeout_ms; /* the whole attempt, look-up included; 0: 10000 */
  uint32_t dscp;               /* 0..63, IPv4 and IPv6 (RFC 2474) */
} sluice_stream_options;

typedef struct sluice_stream_info {
  uint32_t struct_size;
  uint32_t state;
  const char* sentence;        /* why it failed; valid until the stream is closed */
  const char* peer;            /* "192.0.2.1:4953" or "[2001:db8::1]:4953"; "" before it is known */
  uint64_t unsent_bytes;       /* queued here, not acknowledged by the peer (SIOCOUTQ) */
  uint64_t acknowledged_bytes; /* tcpi_bytes_acked */
  uint32_t peer_window_bytes;  /* tcpi_snd_wnd */
  uint32_t round_trip_us;      /* tcpi_rtt */
  uint32_t retransmits;        /* tcpi_total_retrans */
} sluice_stream_info;

#define SLUICE_NET_HOST "sluice.net-host/1"
typedef struct sluice_net_host {
  /* Begins to connect to a name, an IPv4 or an IPv6 address; addresses are tried as RFC 8305 says.
   * The outcome is seen in `info` once the stream is ready for SLUICE_NET_WRITE. */
  sluice_result (*connect)(const sluice_host* host, const char* name, uint16_t port,
                           const sluice_stream_options* options, sluice_stream** stream);
  /* Listens on an address ("" or "*": every one) and port (0: any, see listener_port); options are
   * for accepted streams. [control, worker] */
  sluice_result (*listen)(const sluice_host* host, const char* address, uint16_t port,
                          const sluice_stream_options* options, sluice_listener** listener);
  /* [control, worker] */
  uint16_t (*listener_port)(const sluice_host* host, sluice_listener* listener);
  /* The next peer; SLUICE_ERROR_AGAIN if nobody waits. */
  sluice_result (*accept)(const sluice_host* host, sluice_listener* listener,
                          sluice_stream** stream);
  /* Sends what the socket takes at once: *sent of size_bytes. SLUICE_ERROR_AGAIN if none,
   * SLUICE_ERROR_NETWORK if the stream is broken. */
  sluice_result (*send)(const sluice_host* host, sluice_stream* stream, const void* data,
                        size_t size_bytes, size_t* sent);
  /* Receives what is there: SLUICE_OK with *received = 0 is the peer's end of stream. What arrived
   * before a stream broke can be received after that. */
  sluice_result (*receive)(const sluice_host* host, sluice_stream* stream, void* data,
                           size_t size_bytes, size_t* received);
  /* [control, worker] */
  void (*info)(const sluice_host* host, sluice_stream* stream, sluice_stream_info* info);
  /* Ends the sending half; what was accepted by send still goes out. */
  void (*finish)(const sluice_host* host, sluice_stream* stream);
  /* Closes and frees. With `abort` the peer sees a reset. [control, worker] */
  void (*close)(const sluice_host* host, sluice_stream* stream, uint32_t abort);
  /* [control, worker] */
  void (*close_listener)(const sluice_host* host, sluice_listener* listener);
} sluice_net_host;

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_PLUGIN_H */
