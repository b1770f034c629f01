// Random-site Metropolis for the Ising model with cached sums of neighbours: the plain code that a physicist writes.
// It is the reference for lifetimes and first passages, and the peer whose speed the kernels are measured against.
//
//   H = -J sum s s' - h sum s.  nearest: 4 neighbours, J = 1.  square: the q = 4R(R+1) spins around a site, J = 4/q.
//   An attempt picks a site at random and flips it with probability min(1, exp(-dE/T)), dE = 2 s (J sum + h).
//   1 MCS = N = L^2 attempts; m <= 0 is looked at after each MCS.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

// xoshiro256++ 1.0 (Blackman and Vigna, 2019), seeded through splitmix64.
struct Random {
    uint64_t s[4];

    Random(uint64_t seed, uint64_t stream) {
        uint64_t z = seed ^ (stream * 0xd1342543de82ef95ull + 0x2545f4914f6cdd1dull);
        for (uint64_t &word : s) {
            uint64_t x = (z += 0x9e3779b97f4a7c15ull);
            x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
            x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
            word = x ^ (x >> 31);
        }
    }

    static uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

    uint64_t operator()() {
        const uint64_t result = rotl(s[0] + s[3], 23) + s[0], t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = rotl(s[3], 45);
        return result;
    }
};

// RANGE: 0 is nearest neighbours, R > 0 the square range R known to the compiler, -1 a range known at run time.
template <int RANGE>
struct Lattice {
    const int L, N, range, q;
    int total;                          // sum of spins
    std::vector<int8_t> spin;           // +1, -1
    std::vector<int32_t> sum;           // sum of the neighbours' spins
    std::vector<uint64_t> up, down;     // acceptance by sum + q, as a threshold for 32 random bits

    Lattice(int range_, int size)
        : L(size), N(size * size), range(RANGE > 0 ? RANGE : range_), q(RANGE ? 4 * range * (range + 1) : 4),
          spin(N), sum(N), up(2 * q + 1), down(2 * q + 1) {
        all_up();
    }

    void set_field(double temperature, double field) {
        const double J = 4.0 / q;
        for (int k = -q; k <= q; k++) {
            const double change = 2 * (J * k + field);  // of an up spin; of a down spin, minus this
            up[k + q] = std::llround(std::fmin(1, std::exp(-change / temperature)) * 4294967296.0);
            down[k + q] = std::llround(std::fmin(1, std::exp(change / temperature)) * 4294967296.0);
        }
    }

    void all_up() {
        spin.assign(N, 1);
        sum.assign(N, q);
        total = N;
    }

    void load(const int8_t *start) {
        all_up();
        for (int i = 0; i < N; i++)
            if (start[i] < 0) flip(i);
    }

    void flip(int site) {
        const int change = -2 * spin[site], x = site / L, y = site - x * L;
        spin[site] = -spin[site];
        total += change;
        if constexpr (RANGE == 0) {
            sum[x > 0 ? site - L : site - L + N] += change;
            sum[x < L - 1 ? site + L : site + L - N] += change;
            sum[y > 0 ? site - 1 : site - 1 + L] += change;
            sum[y < L - 1 ? site + 1 : site + 1 - L] += change;
        } else {
            const int R = RANGE > 0 ? RANGE : range, width = 2 * R + 1;
            if (x >= R && x + R < L && y >= R && y + R < L) {
                int32_t *row = &sum[site - R * L - R];
                for (int i = 0; i < width; i++, row += L)
                    for (int j = 0; j < width; j++) row[j] += change;
            } else {
                // The window wraps: rows one by one, each in at most two pieces.
                const int left = y - R < 0 ? y - R + L : y - R;
                const int before = left + width <= L ? width : L - left;
                int wrapped = x - R < 0 ? x - R + L : x - R;
                for (int i = 0; i < width; i++) {
                    int32_t *row = &sum[wrapped * L];
                    for (int j = left; j < left + before; j++) row[j] += change;
                    for (int j = 0; j < width - before; j++) row[j] += change;
                    if (++wrapped == L) wrapped = 0;
                }
            }
            sum[site] -= change;  // the window holds the site itself
        }
    }

    // One MCS. 64 random bits make an attempt: the upper half is the site, the lower half decides.
    void sweep(Random &random) {
        for (int i = 0; i < N; i++) {
            const uint64_t bits = random();
            const int site = ((bits >> 32) * (uint64_t)N) >> 32;
            const uint64_t threshold = (spin[site] > 0 ? up : down)[sum[site] + q];
            if ((bits & 0xffffffffu) < threshold) flip(site);
        }
    }

    // MCS after which m <= 0 for the first time, at most `limit`; -1 if not reached.
    int first_passage(int limit, Random &random) {
        for (int time = 1; time <= limit; time++) {
            sweep(random);
            if (total <= 0) return time;
        }
        return -1;
    }
};

// The paper's ranges are compiled as constants, the others run with a variable.
template <class Function>
void with_lattice(int range, int nearest, int L, Function function) {
    if (nearest) return function(Lattice<0>(1, L));
    switch (range) {
    case 1: return function(Lattice<1>(1, L));
    case 3: return function(Lattice<3>(3, L));
    case 5: return function(Lattice<5>(5, L));
    case 10: return function(Lattice<10>(10, L));
    case 20: return function(Lattice<20>(20, L));
    default: return function(Lattice<-1>(range, L));
    }
}

}  // namespace

// h > 0 is the strength: +h while equilibrating, -h after. Every run and copy has its own random stream.
extern "C" {

void lifetimes(int range, int nearest, int L, double T, double h, int runs, int equilibration, int max_mcs,
               uint64_t seed, int32_t *out) {
    with_lattice(range, nearest, L, [&](auto lattice) {
        for (int run = 0; run < runs; run++) {
            Random random(seed, run);
            lattice.all_up();
            lattice.set_field(T, h);
            for (int i = 0; i < equilibration; i++) lattice.sweep(random);
            lattice.set_field(T, -h);
            out[run] = lattice.first_passage(max_mcs, random);
        }
    });
}

void passage(int range, int nearest, int L, double T, double h, const int8_t *spins, int copies, int duration,
             uint64_t seed, int32_t *out) {
    with_lattice(range, nearest, L, [&](auto lattice) {
        lattice.load(spins);
        lattice.set_field(T, -h);
        const auto start = lattice;
        for (int copy = 0; copy < copies; copy++) {
            Random random(seed, copy);
            lattice.spin = start.spin;
            lattice.sum = start.sum;
            lattice.total = start.total;
            out[copy] = lattice.first_passage(duration, random);
        }
    });
}

// The spins of one chain under a signed field after each of `frames` blocks of `steps` MCS, from all up: int8 (frames, N).
void chain(int range, int nearest, int L, double T, double field, int frames, int steps, uint64_t seed, int8_t *out) {
    with_lattice(range, nearest, L, [&](auto lattice) {
        Random random(seed, 0);
        lattice.set_field(T, field);
        for (int frame = 0; frame < frames; frame++) {
            for (int i = 0; i < steps; i++) lattice.sweep(random);
            for (int i = 0; i < lattice.N; i++) *out++ = lattice.spin[i];
        }
    });
}

// Attempts and seconds in the metastable state: under -h, started again from all up whenever m <= 0.
void bench(int range, int nearest, int L, double T, double h, double at_least, uint64_t seed, int64_t *attempts,
           double *seconds) {
    with_lattice(range, nearest, L, [&](auto lattice) {
        Random random(seed, 0);
        lattice.set_field(T, -h);
        for (int i = 0; i < 20; i++) lattice.sweep(random);
        const auto start = std::chrono::steady_clock::now();
        *attempts = 0;
        do {
            for (int64_t goal = *attempts + 1000000; *attempts < goal; *attempts += lattice.N) {
                lattice.sweep(random);
                if (lattice.total <= 0) lattice.all_up();
            }
            *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        } while (*seconds < at_least);
    });
}
}
