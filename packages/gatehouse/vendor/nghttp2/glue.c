/*
 * What nghttp2 tells of a connection, as calls of imported functions with plain numbers, and what it is asked,
 * as exported functions. No policy: limits come from outside. Text of headers passes as one run of bytes with a
 * list of lengths, name and value in turn.
 */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("connection"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("headers") void on_headers(int id, int stream, const uint8_t *text, const uint32_t *lengths, int count);
/* Returns how many of the bytes are consumed at once; the others are told later, by `consume`. */
IMPORT("data") int on_data(int id, int stream, const uint8_t *bytes, int length);
IMPORT("end") void on_end(int id, int stream);
/* The last frame of this side has been handed out. */
IMPORT("finished") void on_finished(int id, int stream);
IMPORT("closed") void on_closed(int id, int stream, uint32_t code);
IMPORT("goaway") void on_goaway(int id, uint32_t code);
IMPORT("goawaySent") void on_goaway_sent(int id, uint32_t code);
/* A frame breaks the protocol, or is a DATA frame with nothing in it. */
IMPORT("useless") void on_useless(int id, int type);
IMPORT("pong") void on_pong(int id);
/* Returns how many bytes were written to `out`, with LAST where nothing follows, with TRAILERS too where those do; or WAIT. */
IMPORT("body") int on_body(int id, int stream, uint8_t *out, int length);

enum { LAST = 1 << 30, TRAILERS = 1 << 29, WAIT = -1 };
enum { FIELDS_MAX = 256, FIELD_OVERHEAD = 32, TEXT_BYTES = 4096 };
enum { CONTROL_FRAME_BYTES = 17000 };

/* The header block that is being read: nothing of it is kept between two. */
typedef struct {
  uint32_t lengths[2 * FIELDS_MAX];
  uint32_t count;
  uint32_t size;
  uint32_t charged;
  uint32_t capacity;
  uint8_t *text;
} block;

typedef struct {
  nghttp2_session *session;
  int id;
  uint32_t header_bytes_max;
  uint32_t fields_max;
  block *open;
} connection;

static block *open_block(void) {
  block *it = malloc(sizeof *it);
  if (it == NULL) return NULL;
  it->count = it->size = it->charged = 0;
  it->capacity = TEXT_BYTES;
  it->text = malloc(TEXT_BYTES);
  if (it->text == NULL) {
    free(it);
    return NULL;
  }
  return it;
}

static void close_block(connection *c) {
  if (c->open == NULL) return;
  free(c->open->text);
  free(c->open);
  c->open = NULL;
}

static int begin_headers(nghttp2_session *s, const nghttp2_frame *frame, void *user) {
  connection *c = user;
  close_block(c);
  c->open = open_block();
  return c->open == NULL ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int refuse_block(nghttp2_session *s, connection *c, int32_t stream) {
  close_block(c);
  nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, stream, NGHTTP2_ENHANCE_YOUR_CALM);
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                  const uint8_t *value, size_t value_length, uint8_t flags, void *user) {
  connection *c = user;
  block *b = c->open;
  if (b == NULL) return 0;
  uint32_t bytes = name_length + value_length;
  b->charged += bytes + FIELD_OVERHEAD;
  if (b->count >= c->fields_max || b->charged > c->header_bytes_max) return refuse_block(s, c, frame->hd.stream_id);
  if (b->size + bytes > b->capacity) {
    uint32_t capacity = b->capacity;
    while (capacity < b->size + bytes) capacity *= 2;
    uint8_t *text = realloc(b->text, capacity);
    if (text == NULL) return NGHTTP2_ERR_CALLBACK_FAILURE;
    b->text = text;
    b->capacity = capacity;
  }
  memcpy(b->text + b->size, name, name_length);
  memcpy(b->text + b->size + name_length, value, value_length);
  b->size += bytes;
  b->lengths[2 * b->count] = name_length;
  b->lengths[2 * b->count + 1] = value_length;
  b->count += 1;
  return 0;
}

static int frame_received(nghttp2_session *s, const nghttp2_frame *frame, void *user) {
  connection *c = user;
  int ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame->hd.type) {
  case NGHTTP2_HEADERS: {
    block *b = c->open;
    if (b != NULL) {
      c->open = NULL;
      on_headers(c->id, frame->hd.stream_id, b->text, b->lengths, 2 * b->count);
      free(b->text);
      free(b);
    }
    if (ends) on_end(c->id, frame->hd.stream_id);
    break;
  }
  case NGHTTP2_DATA:
    if (!ends && frame->hd.length == 0) on_useless(c->id, NGHTTP2_DATA);
    if (ends) on_end(c->id, frame->hd.stream_id);
    break;
  case NGHTTP2_GOAWAY:
    on_goaway(c->id, frame->goaway.error_code);
    break;
  case NGHTTP2_PING:
    if (frame->hd.flags & NGHTTP2_FLAG_ACK) on_pong(c->id);
    break;
  }
  return 0;
}

static int invalid_frame(nghttp2_session *s, const nghttp2_frame *frame, int error, void *user) {
  if (frame->hd.type == NGHTTP2_HEADERS) close_block(user);
  on_useless(((connection *)user)->id, frame->hd.type);
  return 0;
}

static int frame_sent(nghttp2_session *s, const nghttp2_frame *frame, void *user) {
  connection *c = user;
  if (frame->hd.type == NGHTTP2_GOAWAY) on_goaway_sent(c->id, frame->goaway.error_code);
  else if (frame->hd.type <= NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
    on_finished(c->id, frame->hd.stream_id);
  return 0;
}

static int frame_not_sent(nghttp2_session *s, const nghttp2_frame *frame, int error, void *user) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
    on_closed(((connection *)user)->id, frame->hd.stream_id,
              error == NGHTTP2_ERR_STREAM_CLOSING ? NGHTTP2_CANCEL : NGHTTP2_REFUSED_STREAM);
  else if (error == NGHTTP2_ERR_FRAME_SIZE_ERROR)
    /* Too long a header block: the peer must not wait for it. */
    return nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
  return 0;
}

static int data(nghttp2_session *s, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t length, void *user) {
  int consumed = on_data(((connection *)user)->id, stream, bytes, length);
  return consumed > 0 ? nghttp2_session_consume(s, stream, consumed) : 0;
}

static int stream_closed(nghttp2_session *s, int32_t stream, uint32_t code, void *user) {
  on_closed(((connection *)user)->id, stream, code);
  return 0;
}

static nghttp2_ssize body(nghttp2_session *s, int32_t stream, uint8_t *out, size_t length, uint32_t *flags,
                          nghttp2_data_source *source, void *user) {
  int read = on_body(((connection *)user)->id, stream, out, length);
  if (read == WAIT) return NGHTTP2_ERR_DEFERRED;
  if (read & LAST) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (read & TRAILERS) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  }
  return read & ~(LAST | TRAILERS);
}

EXPORT("allocate") void *allocate(int bytes) { return malloc(bytes); }

static nghttp2_session_callbacks *callbacks(void) {
  static nghttp2_session_callbacks *calls = NULL;
  if (calls != NULL || nghttp2_session_callbacks_new(&calls) != 0) return calls;
  nghttp2_session_callbacks_set_on_begin_headers_callback(calls, begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(calls, header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(calls, frame_received);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(calls, invalid_frame);
  nghttp2_session_callbacks_set_on_frame_send_callback(calls, frame_sent);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(calls, frame_not_sent);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, data);
  nghttp2_session_callbacks_set_on_stream_close_callback(calls, stream_closed);
  return calls;
}

EXPORT("release") void release(connection *c) {
  close_block(c);
  nghttp2_session_del(c->session);
  free(c);
}

/* Returns NULL where there is no memory. */
EXPORT("open")
connection *open_connection(int id, int is_server, int streams_max, int peer_streams_max, int header_bytes_max,
                            int header_bytes_max_to_peer, int fields_max, int stream_window, int connection_window) {
  if (header_bytes_max < 0 || fields_max < 0) return NULL;
  nghttp2_session_callbacks *calls = callbacks();
  nghttp2_option *option;
  connection *c = calloc(1, sizeof *c);
  if (calls == NULL || c == NULL || nghttp2_option_new(&option) != 0) {
    free(c);
    return NULL;
  }
  c->id = id;
  c->header_bytes_max = header_bytes_max;
  c->fields_max = fields_max < FIELDS_MAX ? fields_max : FIELDS_MAX;
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_peer_max_concurrent_streams(option, peer_streams_max);
  nghttp2_option_set_max_send_header_block_length(option, header_bytes_max_to_peer);
  int failed = is_server ? nghttp2_session_server_new2(&c->session, calls, c, option)
                         : nghttp2_session_client_new2(&c->session, calls, c, option);
  nghttp2_option_del(option);
  nghttp2_settings_entry settings[] = {
    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, header_bytes_max},
    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_max},
  };
  if (failed) {
    free(c);
    return NULL;
  }
  if (nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, is_server ? 4 : 3) != 0 ||
      nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, connection_window) != 0) {
    release(c);
    return NULL;
  }
  return c;
}

/* Returns 0, or nghttp2's error: then the connection is lost. */
EXPORT("receive") int receive(connection *c, const uint8_t *bytes, int length) {
  nghttp2_ssize read = nghttp2_session_mem_recv2(c->session, bytes, length);
  return read < 0 ? (int)read : 0;
}

/* Writes what is due to `out`, as far as there is room. Returns its length, or nghttp2's error. */
EXPORT("send") int send_due(connection *c, uint8_t *out, int room) {
  int length = 0;
  while (room - length >= CONTROL_FRAME_BYTES) {
    const uint8_t *bytes;
    nghttp2_ssize due = nghttp2_session_mem_send2(c->session, &bytes);
    if (due < 0) return (int)due;
    if (due == 0) break;
    if (due > room - length) return NGHTTP2_ERR_BUFFER_ERROR;
    memcpy(out + length, bytes, due);
    length += due;
  }
  return length;
}

EXPORT("wants") int wants(connection *c) {
  return nghttp2_session_want_read(c->session) || nghttp2_session_want_write(c->session);
}

static nghttp2_nv fields[FIELDS_MAX];

static int spread(const uint8_t *text, const uint32_t *lengths, int count) {
  if (count < 0 || count > FIELDS_MAX) return -1;
  for (int at = 0; at < count; at++) {
    nghttp2_nv *field = &fields[at];
    field->name = (uint8_t *)text;
    field->namelen = lengths[2 * at];
    text += field->namelen;
    field->value = (uint8_t *)text;
    field->valuelen = lengths[2 * at + 1];
    text += field->valuelen;
    field->flags = NGHTTP2_NV_FLAG_NONE;
  }
  return 0;
}

/* Returns the stream's id, or nghttp2's error. */
EXPORT("request") int request(connection *c, const uint8_t *text, const uint32_t *lengths, int count) {
  nghttp2_data_provider2 provider = {.read_callback = body};
  if (spread(text, lengths, count) != 0) return NGHTTP2_ERR_INVALID_ARGUMENT;
  return nghttp2_submit_request2(c->session, NULL, fields, count, &provider, NULL);
}

EXPORT("respond") int respond(connection *c, int stream, const uint8_t *text, const uint32_t *lengths, int count,
                              int has_body) {
  nghttp2_data_provider2 provider = {.read_callback = body};
  if (spread(text, lengths, count) != 0) return NGHTTP2_ERR_INVALID_ARGUMENT;
  return nghttp2_submit_response2(c->session, stream, fields, count, has_body ? &provider : NULL);
}

/* A response that is not the last: 100 Continue. */
EXPORT("inform") int inform(connection *c, int stream, const uint8_t *text, const uint32_t *lengths, int count) {
  if (spread(text, lengths, count) != 0) return NGHTTP2_ERR_INVALID_ARGUMENT;
  return nghttp2_submit_headers(c->session, NGHTTP2_FLAG_NONE, stream, NULL, fields, count, NULL);
}

/* Ends a stream whose body has ended with TRAILERS. */
EXPORT("trailers") int trailers(connection *c, int stream, const uint8_t *text, const uint32_t *lengths, int count) {
  if (spread(text, lengths, count) != 0) return NGHTTP2_ERR_INVALID_ARGUMENT;
  return nghttp2_submit_trailer(c->session, stream, fields, count);
}

EXPORT("resume") int resume(connection *c, int stream) { return nghttp2_session_resume_data(c->session, stream); }

EXPORT("reset") int reset(connection *c, int stream, uint32_t code) {
  return nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, stream, code);
}

EXPORT("consume") int consume(connection *c, int stream, int bytes) {
  return bytes <= 0 ? 0 : nghttp2_session_consume(c->session, stream, bytes);
}

/* What was not consumed of a stream that has gone. */
EXPORT("consumeGone") int consume_gone(connection *c, int bytes) {
  return bytes <= 0 ? 0 : nghttp2_session_consume_connection(c->session, bytes);
}

EXPORT("ping") int ping(connection *c) { return nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL); }

/* Says that a last word is coming: nothing is refused yet. */
EXPORT("notice") int notice(connection *c) { return nghttp2_submit_shutdown_notice(c->session); }

/* The last word: streams that have begun go on. */
EXPORT("goaway") int goaway(connection *c, uint32_t code) {
  return nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
                               nghttp2_session_get_last_proc_stream_id(c->session), code, NULL, 0);
}

/* The last word: after it nothing is read or written. */
EXPORT("terminate") int terminate(connection *c, uint32_t code) {
  return nghttp2_session_terminate_session(c->session, code);
}
