/*
 * airmed: the air between mac80211_hwsim radios, and a sensor that listens to it.
 *
 *     airmed CONFIG           (in the virtual machine, after the radios exist)
 *
 * mac80211_hwsim hands every frame to this process by generic netlink. airmed lets the radios contend for the
 * channel as 802.11 does (DIFS/AIFS, backoff, collisions, retries, ACK, A-MPDU + Block Ack), decides by signal to
 * noise ratio what arrives where, and writes what a sensor at a given place would receive as a radiotap pcap that
 * is cut behind the 802.11 and CCMP headers. No frame body is ever written to a file.
 *
 * CONFIG, one statement a line, metres and dBm:
 *     seed N | noise DBM | exponent N | fade SIGMA_DB | rts BYTES (0: never) | ampdu MAX_FRAMES (1: none)
 *     node RADIO_INDEX X Y POWER_DBM STREAMS MAX_MCS QUEUE
 *     wall RADIO_A RADIO_B DB          (sensor is radio 99)
 *     burst ON_MS OFF_MS DB            (interference that raises the noise at every receiver)
 *     sensor FILE X Y FREQ_MHZ KEEP_ALL(0/1)
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { CMD_REGISTER = 1, CMD_FRAME = 2, CMD_TX_INFO = 3 };
enum { A_RECEIVER = 1, A_TRANSMITTER = 2, A_FRAME = 3, A_FLAGS = 4, A_RX_RATE = 5, A_SIGNAL = 6, A_TX_INFO = 7,
       A_COOKIE = 8, A_FREQ = 19, A_TX_INFO_FLAGS = 21, A_MAX = 32 };
enum { FLAG_NO_ACK = 2, FLAG_ACKED = 4, RC_MCS = 8 };
#define NODES 48
#define SENSOR 99
#define RATES 4
#define MACS 256
#define SESSIONS 256
#define SLOT 9000LL
#define SIFS 10000LL
#define NS 1000000000LL
#define RETRIES 7
#define RETRIES_AGGREGATED 14
#define MAX_BURST 64
#define MAX_AIR_NS 4000000LL

struct frame {
	struct frame *next;
	int64_t arrived;
	uint64_t cookie;
	uint32_t flags, freq;
	int8_t rate[RATES];
	uint8_t count[RATES];
	int uses_mcs, tries, length;
	uint8_t data[];
};
struct queue { struct frame *head, *tail; int length, backoff, cw; };
struct node {
	int used, streams, max_mcs, limit, ht;
	double x, y, power;
	struct queue q[4]; /* voice and management, video, best effort, background */
	long dropped, sent, failed;
};
struct mac { uint8_t address[6]; int node; };
struct session { uint8_t from[6], to[6]; int tid; };

static const int aifs_slots[4] = {2, 2, 3, 7}, cw_min[4] = {3, 7, 15, 15}, cw_max[4] = {7, 15, 1023, 1023};
static const int legacy_500k[12] = {2, 4, 11, 22, 12, 18, 24, 36, 48, 72, 96, 108};
static const double legacy_snr[12] = {1, 3, 5, 8, 5, 6, 8, 10, 13, 17, 21, 23};
static const double mcs_snr[8] = {5, 8, 11, 14, 18, 22, 24, 26};
static const int mcs_bits[8] = {26, 52, 78, 104, 156, 208, 234, 260};

static struct node node[NODES];
static struct mac mac[MACS];
static struct session session[SESSIONS];
static int macs, sessions, sequence, family, fd, ampdu_max = 32, rts_bytes, keep_all;
static double noise = -92, exponent = 3.0, sigma = 2.0, sensor_x, sensor_y, wall[100][100], fade[100][100];
static double burst_db;
static int64_t burst_on, burst_off, fade_at[100][100];
static uint32_t sensor_freq = 2437, ampdu_reference;
static FILE *out;
static int64_t idle_since, ends; /* of the one channel that is simulated; ends > 0: on the air */
static int verbose;

static struct { int from, ac, n, mcs, collided, rts; int64_t start, end, air; struct frame *f[MAX_BURST]; } now[4];
static int on_air;

static int64_t clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

static uint64_t random_state = 88172645463325252ULL;
static double uniform(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) * (1.0 / 9007199254740992.0);
}
static double normal(void)
{
	return sqrt(-2 * log(uniform() + 1e-12)) * cos(6.283185307 * uniform());
}

/* What b receives from a in dBm; b may be SENSOR. Shadowing wanders with a correlation time of 2 s. */
static double signal_dbm(int a, int b, int64_t at)
{
	double x = b == SENSOR ? sensor_x : node[b].x, y = b == SENSOR ? sensor_y : node[b].y;
	double d = hypot(node[a].x - x, node[a].y - y);
	int lo = a < b ? a : b, hi = a < b ? b : a;
	double keep = exp(-(double)(at - fade_at[lo][hi]) / (2.0 * NS));
	fade[lo][hi] = fade[lo][hi] * keep + sigma * sqrt(1 - keep * keep) * normal();
	fade_at[lo][hi] = at;
	return node[a].power - 40 - 10 * exponent * log10(d < 0.3 ? 0.3 : d) - wall[lo][hi] + fade[lo][hi] + 0.7 * normal();
}

static double noise_dbm(int64_t at)
{
	if (burst_on && at % (burst_on + burst_off) < burst_on)
		return noise + burst_db;
	return noise;
}

static int lost(double snr, double needed, int length)
{
	double p = 1 / (1 + exp((snr - needed) * 1.6)); /* of 1000 bytes */
	return uniform() < 1 - pow(1 - p, length / 1000.0 + 0.1);
}

static int64_t legacy_ns(int rate, int length)
{
	if (rate < 4)
		return (96 + (rate ? 0 : 96)) * 1000LL + 16LL * length * 1000 / legacy_500k[rate];
	return (26 + 4 * ((22 + 8 * length + 2 * legacy_500k[rate] - 1) / (2 * legacy_500k[rate]))) * 1000LL;
}
static int64_t mcs_ns(int mcs, int bits)
{
	int per = mcs_bits[mcs & 7] * (1 + (mcs >> 3));
	return (36 + 4 * (mcs >> 3) + 4 * ((22 + bits + per - 1) / per) + 6) * 1000LL;
}

/* ---- netlink ---- */
static char *put(char *at, int type, const void *value, int size)
{
	struct nlattr *a = (void *)at;
	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + size;
	memcpy(at + NLA_HDRLEN, value, size);
	memset(at + NLA_HDRLEN + size, 0, NLA_ALIGN(size) - size);
	return at + NLA_HDRLEN + NLA_ALIGN(size);
}
static char message[16384];
static char *begin(int type, int command)
{
	struct nlmsghdr *h = (void *)message;
	struct genlmsghdr *g = NLMSG_DATA(h);
	memset(message, 0, NLMSG_HDRLEN + GENL_HDRLEN);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST;
	g->cmd = command;
	g->version = 1;
	return message + NLMSG_HDRLEN + GENL_HDRLEN;
}
static void finish(char *end)
{
	struct nlmsghdr *h = (void *)message;
	h->nlmsg_len = end - message;
	h->nlmsg_seq = ++sequence;
	send(fd, message, h->nlmsg_len, 0);
}
static void hardware_address(int index, uint8_t *to)
{
	uint8_t a[6] = {0x42, 0, 0, 0, index, 0};
	memcpy(to, a, 6);
}

static void deliver(int to, struct frame *f, double dbm, int rate)
{
	uint8_t address[6];
	uint32_t r = rate, s = (int32_t)dbm, freq = f->freq;
	char *p = begin(family, CMD_FRAME);
	hardware_address(to, address);
	p = put(p, A_RECEIVER, address, 6);
	p = put(p, A_FRAME, f->data, f->length);
	p = put(p, A_RX_RATE, &r, 4);
	p = put(p, A_SIGNAL, &s, 4);
	p = put(p, A_FREQ, &freq, 4);
	finish(p);
}

static void report(int from, struct frame *f, int acked)
{
	uint8_t address[6];
	uint32_t flags = (f->flags & ~FLAG_ACKED) | (acked ? FLAG_ACKED : 0), s = (uint32_t)-50;
	struct { int8_t idx; uint8_t count; } __attribute__((packed)) info[RATES];
	int left = f->tries ? f->tries : 1;
	char *p = begin(family, CMD_TX_INFO);
	for (int i = 0; i < RATES; i++) { /* spend the tries on the rate series, as the radio would have */
		int n = f->rate[i] < 0 ? 0 : f->count[i] < left ? f->count[i] : left;
		if (i == RATES - 1 || (i + 1 < RATES && f->rate[i + 1] < 0))
			n = f->rate[i] < 0 ? 0 : left;
		info[i].idx = left > 0 ? f->rate[i] : -1;
		info[i].count = n;
		left -= n;
	}
	hardware_address(from, address);
	p = put(p, A_TRANSMITTER, address, 6);
	p = put(p, A_FLAGS, &flags, 4);
	p = put(p, A_COOKIE, &f->cookie, 8);
	p = put(p, A_SIGNAL, &s, 4);
	p = put(p, A_TX_INFO, info, sizeof info);
	finish(p);
}

/* ---- capture ---- */
static void record(int64_t at, const uint8_t *bytes, int keep, int length, int rate500k, int mcs, double dbm, int aggregated)
{
	uint8_t radiotap[40] = {0};
	uint32_t present = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 5, head[4];
	uint64_t tsft = at / 1000;
	int n = 8, signal = dbm < -127 ? -127 : (int)lrint(dbm);
	uint16_t channel_flags = mcs < 0 && (rate500k == 2 || rate500k == 4 || rate500k == 11 || rate500k == 22) ? 0x00a0 : 0x0480;
	uint16_t freq = sensor_freq;
	if (!out)
		return;
	memcpy(radiotap + n, &tsft, 8), n += 8;
	radiotap[n++] = 0; /* flags: no FCS in the record */
	if (mcs < 0)
		present |= 1 << 2, radiotap[n++] = rate500k;
	n += n & 1;
	memcpy(radiotap + n, &freq, 2), memcpy(radiotap + n + 2, &channel_flags, 2), n += 4;
	radiotap[n++] = (uint8_t)(int8_t)signal;
	if (mcs >= 0)
		present |= 1 << 19, radiotap[n] = 0x07, radiotap[n + 1] = 0, radiotap[n + 2] = mcs, n += 3;
	if (aggregated) {
		present |= 1 << 20;
		n += -n & 3;
		memcpy(radiotap + n, &ampdu_reference, 4), n += 8;
	}
	radiotap[2] = n;
	memcpy(radiotap + 4, &present, 4);
	head[0] = at / NS, head[1] = at % NS / 1000, head[2] = n + keep, head[3] = n + length;
	fwrite(head, 16, 1, out), fwrite(radiotap, n, 1, out), fwrite(bytes, keep, 1, out);
}

static int header_bytes(const uint8_t *d, int length)
{
	int type = d[0] >> 2 & 3, n = 24;
	if (type == 2) {
		if ((d[1] & 3) == 3)
			n += 6;
		if (d[0] & 0x80)
			n += 2;
		if (d[1] & 0x40)
			n += 8; /* CCMP header: packet number and key id */
	} else if (type == 1) {
		n = 16;
	}
	return n < length ? n : length;
}

static int heard(int from, double needed, int length, int streams, int64_t at, double *dbm)
{
	*dbm = signal_dbm(from, SENSOR, at);
	if (keep_all)
		return 1;
	return streams == 1 && !lost(*dbm - noise_dbm(at), needed, length);
}

/* ---- who is who ---- */
static int node_of(const uint8_t *address)
{
	for (int i = 0; i < macs; i++)
		if (!memcmp(mac[i].address, address, 6))
			return mac[i].node;
	return -1;
}
static void learn(const uint8_t *address, int from)
{
	for (int i = 0; i < macs; i++)
		if (!memcmp(mac[i].address, address, 6)) {
			mac[i].node = from;
			return;
		}
	if (macs < MACS) {
		memcpy(mac[macs].address, address, 6);
		mac[macs++].node = from;
	}
}
static struct session *session_of(const uint8_t *from, const uint8_t *to, int tid)
{
	for (int i = 0; i < sessions; i++)
		if (session[i].tid == tid && !memcmp(session[i].from, from, 6) && !memcmp(session[i].to, to, 6))
			return &session[i];
	return NULL;
}
/* Who can 802.11n is read off the (re)association frames, Block Ack agreements off action frames of category 3. */
static void overhear(int of, const uint8_t *d, int length)
{
	int at = d[0] == 0x00 ? 28 : d[0] == 0x20 ? 34 : d[0] == 0x10 || d[0] == 0x30 ? 30 : 0;
	if (at) {
		node[of].ht = 0;
		for (; at + 2 <= length; at += 2 + d[at + 1])
			if (d[at] == 45)
				node[of].ht = 1;
	}
	if (d[0] != 0xd0 || length < 29 || d[24] != 3)
		return;
	const uint8_t *from = d + 10, *to = d + 4;
	if (d[25] == 1 && d[27] == 0 && d[28] == 0 && length >= 33) {
		int tid = d[29] >> 2 & 15;
		if (!session_of(to, from, tid) && sessions < SESSIONS) {
			memcpy(session[sessions].from, to, 6);
			memcpy(session[sessions].to, from, 6);
			session[sessions++].tid = tid;
		}
	} else if (d[25] == 2) {
		int tid = d[27] >> 4, by_originator = d[27] >> 3 & 1;
		struct session *s = by_originator ? session_of(from, to, tid) : session_of(to, from, tid);
		if (s)
			*s = session[--sessions];
	}
}

/* ---- the channel ---- */
static int tid_of(const struct frame *f)
{
	return (f->data[0] & 0x8c) == 0x88 ? f->data[(f->data[1] & 3) == 3 ? 30 : 24] & 15 : -1;
}
static int category(const struct frame *f)
{
	static const int of_tid[8] = {2, 3, 3, 2, 1, 1, 0, 0};
	int tid = tid_of(f);
	if ((f->data[0] & 0x0c) != 0x08)
		return 0;
	return tid < 0 ? 2 : of_tid[tid & 7];
}
static void push(struct queue *q, struct frame *f)
{
	f->next = NULL;
	if (q->tail)
		q->tail->next = f;
	else
		q->head = f;
	q->tail = f;
	q->length++;
}
static struct frame *pop(struct queue *q)
{
	struct frame *f = q->head;
	q->head = f->next;
	if (!q->head)
		q->tail = NULL;
	q->length--;
	return f;
}
static void unpop(struct queue *q, struct frame *f)
{
	f->next = q->head;
	q->head = f;
	if (!q->tail)
		q->tail = f;
	q->length++;
}

/* When would this queue's head go out? Draws the backoff where none is counting. */
static int64_t access_at(struct queue *q, int ac)
{
	int64_t ready = SIFS + aifs_slots[ac] * SLOT;
	if (q->backoff < 0)
		q->backoff = q->head->arrived > idle_since + ready && !q->head->tries ? 0 : (int)(uniform() * (q->cw + 1));
	int64_t from = q->head->arrived > idle_since ? q->head->arrived : idle_since;
	if (q->head->arrived > idle_since + ready && q->backoff == 0)
		return q->head->arrived + 2000;
	return from + ready + q->backoff * SLOT;
}

static int pick_mcs(int from, int to, int tries, int64_t at)
{
	int streams = node[from].streams < node[to].streams ? node[from].streams : node[to].streams;
	int best = node[from].max_mcs < node[to].max_mcs ? node[from].max_mcs : node[to].max_mcs, mcs = 0;
	double snr = signal_dbm(from, to, at) - noise - 3 - (streams > 1 ? 4 : 0);
	for (int i = 0; i <= (best > 7 ? 7 : best); i++)
		if (snr >= mcs_snr[i])
			mcs = i;
	mcs -= tries / 2 + (uniform() < 0.08);
	if (mcs < 0)
		mcs = 0;
	return streams > 1 && snr > 12 ? mcs + 8 : mcs;
}

static int legacy_try(const struct frame *f)
{
	int n = f->tries;
	for (int i = 0; i < RATES; i++) {
		if (f->rate[i] < 0)
			break;
		if (n < f->count[i] || i == RATES - 1 || f->rate[i + 1] < 0)
			return f->rate[i] < 12 ? f->rate[i] : 0;
		n -= f->count[i];
	}
	return f->rate[0] >= 0 && f->rate[0] < 12 ? f->rate[0] : 0;
}

static int answer_rate(int rate) { return rate < 4 ? rate : rate >= 8 ? 8 : rate >= 6 ? 6 : 4; }

static void start(int who, int from, int ac, int64_t at, int collided)
{
	struct queue *q = &node[from].q[ac];
	struct frame *first = pop(q);
	int to = first->data[4] & 1 ? -1 : node_of(first->data + 4), tid = tid_of(first), total;
	now[who].from = from, now[who].ac = ac, now[who].n = 1, now[who].f[0] = first;
	now[who].start = at, now[who].collided = collided, now[who].mcs = -1, now[who].rts = 0;
	if (to >= 0 && node[from].ht && node[to].ht && (first->data[0] & 0x8c) == 0x88)
		now[who].mcs = pick_mcs(from, to, first->tries, at);
	total = first->length + 4;
	if (now[who].mcs >= 0 && tid >= 0 && session_of(first->data + 10, first->data + 4, tid)) {
		struct frame *f;
		total += 4 + (-total & 3);
		while ((f = q->head) && now[who].n < ampdu_max && tid_of(f) == tid && !memcmp(f->data + 4, first->data + 4, 6)
		       && total + f->length + 8 < 32000 && mcs_ns(now[who].mcs, 8 * (total + f->length + 8)) < MAX_AIR_NS) {
			now[who].f[now[who].n++] = pop(q);
			total += f->length + 8;
		}
	}
	now[who].air = now[who].mcs >= 0 ? mcs_ns(now[who].mcs, 8 * total) : legacy_ns(legacy_try(first), total);
	now[who].end = at + now[who].air;
	if (rts_bytes && to >= 0 && total >= rts_bytes) {
		now[who].rts = 1;
		now[who].end += legacy_ns(8, 20) + legacy_ns(8, 14) + 2 * SIFS;
	}
	if (to >= 0 || !(first->data[4] & 1))
		now[who].end += SIFS + legacy_ns(now[who].mcs >= 0 ? 8 : answer_rate(legacy_try(first)), now[who].n > 1 ? 32 : 14);
}

static void complete(int who)
{
	int from = now[who].from, ac = now[who].ac, n = now[who].n, mcs = now[who].mcs;
	struct queue *q = &node[from].q[ac];
	struct frame *again[MAX_BURST], *first = now[who].f[0];
	int repeats = 0, acked_any = 0, multicast = first->data[4] & 1;
	int to = multicast ? -1 : node_of(first->data + 4);
	int rate = mcs < 0 ? legacy_try(first) : 0, reply = mcs >= 0 ? 8 : answer_rate(rate);
	double needed = mcs >= 0 ? mcs_snr[mcs & 7] + (mcs > 7 ? 3 : 0) : legacy_snr[rate];
	int64_t data_at = now[who].start, data_end;
	uint8_t control[32] = {0}, sender[6], receiver[6];
	uint64_t bitmap = 0;
	int base = first->data[22] >> 4 | first->data[23] << 4;
	double dbm, at_receiver = to >= 0 ? signal_dbm(from, to, now[who].start) : 0, at_sensor;
	memcpy(receiver, first->data + 4, 6), memcpy(sender, first->data + 10, 6);
	if (now[who].rts) {
		int us = (now[who].end - now[who].start - legacy_ns(8, 20)) / 1000;
		control[0] = 0xb4, control[2] = us, control[3] = us >> 8;
		memcpy(control + 4, first->data + 4, 6), memcpy(control + 10, first->data + 10, 6);
		data_at += legacy_ns(8, 20);
		if (heard(from, legacy_snr[8], 20, 1, data_at, &dbm) && !now[who].collided)
			record(data_at, control, 16, 16, 48, -1, dbm, 0);
		data_at += SIFS + legacy_ns(8, 14);
		us = (now[who].end - data_at) / 1000;
		control[0] = 0xc4, control[2] = us, control[3] = us >> 8;
		memcpy(control + 4, first->data + 10, 6);
		if (to >= 0 && heard(to, legacy_snr[8], 14, 1, data_at, &dbm) && !now[who].collided)
			record(data_at, control, 10, 10, 48, -1, dbm, 0);
		data_at += SIFS;
	}
	data_end = data_at + now[who].air;
	/* the sensor hears the preamble of the whole burst, then each MPDU for itself */
	at_sensor = signal_dbm(from, SENSOR, data_at);
	ampdu_reference++;
	for (int i = 0; i < n; i++) {
		struct frame *f = now[who].f[i];
		int sn = f->data[22] >> 4 | f->data[23] << 4, arrived = 0;
		f->tries++;
		if (f->tries > 1)
			f->data[1] |= 0x08;
		if (!(f->data[4] & 1)) {
			int us = (SIFS + legacy_ns(reply, n > 1 ? 32 : 14)) / 1000;
			f->data[2] = us, f->data[3] = us >> 8;
		}
		if (f->freq == sensor_freq && !now[who].collided
		    && (keep_all || ((mcs < 8) && !lost(at_sensor - noise_dbm(data_at), needed, f->length)))) {
			uint8_t copy[64];
			int keep = header_bytes(f->data, f->length);
			memcpy(copy, f->data, keep);
			record(data_end - (n - 1 - i) * 2000, copy, keep, f->length, legacy_500k[rate], mcs, at_sensor, n > 1);
		} else if (f->freq == sensor_freq && !now[who].collided && mcs > 7 && at_sensor > noise + 6 && i == 0) {
			; /* two streams: a single-antenna sensor sees energy only */
		}
		if (multicast) {
			for (int r = 0; r < NODES; r++)
				if (node[r].used && r != from) {
					double s = signal_dbm(from, r, data_at);
					if (!now[who].collided && !lost(s - noise_dbm(data_at), needed, f->length))
						deliver(r, f, s, rate);
				}
			node[from].sent++;
			report(from, f, 0);
			free(f);
			continue;
		}
		if (to >= 0 && node[to].used)
			arrived = !now[who].collided && !lost(at_receiver - noise_dbm(data_at), needed, f->length);
		if (arrived) {
			overhear(from, f->data, f->length);
			deliver(to, f, at_receiver, mcs >= 0 ? 4 + (mcs & 7) : rate);
			if (((sn - base) & 4095) < 64)
				bitmap |= 1ULL << ((sn - base) & 4095);
			acked_any = 1;
			/* an answer that is lost makes a duplicate, as on a real air (n == 1 only: a Block Ack says it again) */
			if (n == 1 && lost(signal_dbm(to, from, data_end) - noise_dbm(data_end), legacy_snr[reply], 14))
				arrived = 2;
		}
		if (arrived == 1) {
			node[from].sent++;
			report(from, f, 1);
			free(f);
		} else if (f->tries >= (n > 1 || (mcs >= 0 && tid_of(f) >= 0 && session_of(f->data + 10, f->data + 4, tid_of(f))) ? RETRIES_AGGREGATED : RETRIES)) {
			node[from].failed++;
			report(from, f, 0);
			free(f);
		} else {
			again[repeats++] = f;
		}
	}
	if (acked_any) {
		memset(control, 0, sizeof control);
		control[0] = n > 1 ? 0x94 : 0xd4;
		memcpy(control + 4, sender, 6);
		int size = 10;
		if (n > 1) {
			memcpy(control + 10, receiver, 6);
			control[16] = 0x05;
			control[18] = base << 4, control[19] = base >> 4;
			memcpy(control + 20, &bitmap, 8);
			size = 28;
		}
		if (to >= 0 && heard(to, legacy_snr[reply], size + 4, 1, now[who].end, &dbm))
			record(now[who].end, control, size, size, legacy_500k[reply], -1, dbm, 0);
	}
	while (repeats)
		unpop(q, again[--repeats]);
	q->backoff = -1;
	if (acked_any || multicast || !q->head || !q->head->tries)
		q->cw = cw_min[ac];
	else
		q->cw = q->cw * 2 + 1 > cw_max[ac] ? cw_max[ac] : q->cw * 2 + 1;
}

/* Earliest start of the next transmission, or 0. */
static int64_t next_start(void)
{
	int64_t best = 0;
	for (int i = 0; i < NODES; i++)
		for (int ac = 0; ac < 4; ac++)
			if (node[i].q[ac].head) {
				int64_t t = access_at(&node[i].q[ac], ac);
				if (!best || t < best)
					best = t;
			}
	return best;
}

static void go(int64_t at)
{
	on_air = 0;
	for (int i = 0; i < NODES; i++) {
		int mine = 0;
		for (int ac = 0; ac < 4; ac++) {
			struct queue *q = &node[i].q[ac];
			if (!q->head)
				continue;
			int64_t t = access_at(q, ac);
			if (t < at + SLOT / 2 && !mine && on_air < 4) { /* of one radio's own queues the better one wins */
				mine = 1;
				start(on_air++, i, ac, at, 0);
			} else if (q->backoff > 0) {
				int64_t waited = at - (q->head->arrived > idle_since ? q->head->arrived : idle_since) - SIFS - aifs_slots[ac] * SLOT;
				if (waited > 0)
					q->backoff -= waited / SLOT < q->backoff ? waited / SLOT : q->backoff;
			}
		}
	}
	ends = 0;
	for (int i = 0; i < on_air; i++) {
		now[i].collided = on_air > 1;
		if (now[i].end > ends)
			ends = now[i].end;
	}
}

static void incoming(char *buffer, int size)
{
	for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
		struct genlmsghdr *g = NLMSG_DATA(h);
		struct nlattr *a[A_MAX] = {0};
		int left = h->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN, from, ac, length;
		char *p = (char *)g + GENL_HDRLEN;
		if (h->nlmsg_type != family || g->cmd != CMD_FRAME)
			continue;
		while (left >= NLA_HDRLEN) {
			struct nlattr *one = (void *)p;
			if (one->nla_len < NLA_HDRLEN || one->nla_len > left)
				break;
			if ((one->nla_type & NLA_TYPE_MASK) < A_MAX)
				a[one->nla_type & NLA_TYPE_MASK] = one;
			p += NLA_ALIGN(one->nla_len);
			left -= NLA_ALIGN(one->nla_len);
		}
#define VALUE(x) ((uint8_t *)a[x] + NLA_HDRLEN)
		if (!a[A_TRANSMITTER] || !a[A_FRAME] || !a[A_COOKIE] || !a[A_FLAGS] || !a[A_TX_INFO])
			continue;
		from = VALUE(A_TRANSMITTER)[4];
		length = a[A_FRAME]->nla_len - NLA_HDRLEN;
		struct frame *f = calloc(1, sizeof *f + length + 4);
		f->length = length;
		memcpy(f->data, VALUE(A_FRAME), length);
		memcpy(&f->cookie, VALUE(A_COOKIE), 8);
		memcpy(&f->flags, VALUE(A_FLAGS), 4);
		f->freq = sensor_freq;
		if (a[A_FREQ])
			memcpy(&f->freq, VALUE(A_FREQ), 4);
		for (int i = 0; i < RATES; i++) {
			f->rate[i] = (int8_t)VALUE(A_TX_INFO)[2 * i];
			f->count[i] = VALUE(A_TX_INFO)[2 * i + 1];
		}
		if (a[A_TX_INFO_FLAGS])
			f->uses_mcs = (VALUE(A_TX_INFO_FLAGS)[1] & RC_MCS) != 0;
		f->arrived = clock_ns() + (int64_t)(uniform() * 120000); /* bus and driver: no two machines are in step */
		if (from >= NODES || !node[from].used || length < 10) {
			free(f);
			continue;
		}
		if (length >= 16)
			learn(f->data + 10, from);
		if (f->freq != sensor_freq) { /* another channel: nobody contends there, everybody on it hears */
			for (int r = 0; r < NODES; r++)
				if (node[r].used && r != from)
					deliver(r, f, signal_dbm(from, r, f->arrived), 0);
			report(from, f, !(f->data[4] & 1) && node_of(f->data + 4) >= 0);
			free(f);
			continue;
		}
		ac = category(f);
		struct queue *q = &node[from].q[ac];
		if (q->length >= node[from].limit) {
			node[from].dropped++;
			report(from, f, 0);
			free(f);
			continue;
		}
		push(q, f);
	}
}

static void ask_family(void)
{
	char buffer[8192], *p = begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	int n;
	p = put(p, CTRL_ATTR_FAMILY_NAME, "MAC80211_HWSIM", 15);
	finish(p);
	n = recv(fd, buffer, sizeof buffer, 0);
	if (n <= 0)
		return;
	p = buffer + NLMSG_HDRLEN + GENL_HDRLEN;
	while (p < buffer + n) {
		struct nlattr *a = (void *)p;
		if (a->nla_len < NLA_HDRLEN)
			break;
		if (a->nla_type == CTRL_ATTR_FAMILY_ID) {
			uint16_t id;
			memcpy(&id, p + NLA_HDRLEN, 2);
			family = id;
		}
		p += NLA_ALIGN(a->nla_len);
	}
}

static void configure(const char *path)
{
	char line[512], name[256];
	FILE *f = fopen(path, "r");
	int a, b, c, d, e;
	double x, y, z;
	if (!f)
		exit(2);
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "node %d %lf %lf %lf %d %d %d", &a, &x, &y, &z, &b, &c, &d) == 7 && a < NODES) {
			node[a] = (struct node){1, b, c, d, 0, x, y, z, {{0}}, 0, 0, 0};
			for (int i = 0; i < 4; i++)
				node[a].q[i].backoff = -1, node[a].q[i].cw = cw_min[i];
		} else if (sscanf(line, "wall %d %d %lf", &a, &b, &x) == 3 && a < 100 && b < 100) {
			wall[a < b ? a : b][a < b ? b : a] = x;
		} else if (sscanf(line, "sensor %255s %lf %lf %d", name, &x, &y, &a) == 4) {
			static const uint32_t magic[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 127};
			sensor_x = x, sensor_y = y, sensor_freq = a;
			out = fopen(name, "w");
			fwrite(magic, 24, 1, out);
		} else if (sscanf(line, "seed %d", &a) == 1) {
			random_state ^= (uint64_t)(a + 1) * 0x9E3779B97F4A7C15ULL;
		} else if (sscanf(line, "noise %lf", &x) == 1) {
			noise = x;
		} else if (sscanf(line, "exponent %lf", &x) == 1) {
			exponent = x;
		} else if (sscanf(line, "fade %lf", &x) == 1) {
			sigma = x;
		} else if (sscanf(line, "rts %d", &e) == 1) {
			rts_bytes = e;
		} else if (sscanf(line, "ampdu %d", &e) == 1) {
			ampdu_max = e < 1 ? 1 : e > MAX_BURST ? MAX_BURST : e;
		} else if (sscanf(line, "burst %d %d %lf", &a, &b, &x) == 3) {
			burst_on = a * 1000000LL, burst_off = b * 1000000LL, burst_db = x;
		} else if (sscanf(line, "verbose %d", &a) == 1) {
			verbose = a;
		}
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	static char buffer[1 << 18];
	struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	int size = 8 << 20, timer;
	int64_t said = 0;
	if (argc < 2)
		return 2;
	configure(argv[1]);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	bind(fd, (void *)&self, sizeof self);
	ask_family();
	if (!family) {
		fprintf(stderr, "airmed: no mac80211_hwsim here\n");
		return 1;
	}
	finish(begin(family, CMD_REGISTER));
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	idle_since = clock_ns();
	fprintf(stderr, "airmed: family %d, sensor on %u MHz\n", family, sensor_freq);
	for (;;) {
		struct pollfd p[2] = {{fd, POLLIN, 0}, {timer, POLLIN, 0}};
		struct itimerspec when = {{0, 0}, {0, 0}};
		int64_t due = ends ? ends : next_start();
		if (due) {
			when.it_value.tv_sec = due / NS;
			when.it_value.tv_nsec = due % NS;
			timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
		}
		if (!due || due > clock_ns())
			poll(p, due ? 2 : 1, 1000);
		else
			poll(p, 1, 0);
		if (p[0].revents & POLLIN) {
			int n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
			if (n > 0) {
				incoming(buffer, n);
				continue; /* take everything that has come before judging who is first */
			}
		}
		int64_t t = clock_ns();
		if (ends && t >= ends) {
			int k = on_air;
			for (int i = 0; i < k; i++)
				complete(i);
			idle_since = ends;
			ends = 0;
			on_air = 0;
		} else if (!ends && due && t >= due) {
			go(due);
		}
		if (t - said > 5 * NS && out) {
			said = t;
			fflush(out);
		}
	}
}
