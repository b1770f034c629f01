// Fourier transforms of a line of 32 to 1024 complex numbers, each a vector of lanes on a CPU (one number on a GPU).
//
// N = A x B, Cooley and Tukey (1965): A-point transforms over n = B j + n2, a twist by exp(-2 pi i j n2 / N), B-point
// transforms. Forward, what comes out at place B k1 + k2 is the coefficient of k = k1 + A k2, and the way back starts from
// that order: nothing is ever sorted. Real and imaginary part may carry two real fields, since all that is done between
// forward and back is a multiplication by numbers that are real and even in k.
#pragma once

#ifdef __CUDACC__
#define LINE_UNROLL _Pragma("unroll")
#define REAL_LANES 1
typedef REAL vec;
__device__ __forceinline__ void set(vec& v, int, REAL value) { v = value; }
__device__ __forceinline__ REAL get(const vec& v, int) { return v; }
#else
#define LINE_UNROLL _Pragma("GCC unroll 16")
#define REAL_LANES (LANES * 4 / (int)sizeof(REAL) > 1 ? LANES * 4 / (int)sizeof(REAL) : 2)
typedef REAL vec __attribute__((vector_size(REAL_LANES * sizeof(REAL))));
static __forceinline__ void set(vec& v, int lane, REAL value) { v[lane] = value; }
static __forceinline__ REAL get(const vec& v, int lane) { return v[lane]; }
#endif

// 1 / v, to the last bit or the one before it: a division of vectors takes longer than the rest of a step's arithmetic
__device__ __forceinline__ vec reciprocal(vec v) {
#if !defined(__CUDACC__) && defined(__AVX512F__) && LANES == 16
  if constexpr (sizeof(REAL) == 4) {
    vec r = (vec)_mm512_rcp14_ps((__m512)v);
    return r * ((REAL)2 - v * r);
  } else {
    vec r = (vec)_mm512_rcp14_pd((__m512d)v);
    r = r * ((REAL)2 - v * r);
    return r * ((REAL)2 - v * r);
  }
#else
  return (REAL)1 / v;
#endif
}

struct Complex { vec re, im; };

__device__ __forceinline__ vec same(REAL value) {
#ifdef __CUDACC__
  return value;
#else
  return vec{} + value;
#endif
}
__device__ __forceinline__ Complex operator+(const Complex& a, const Complex& b) { return {a.re + b.re, a.im + b.im}; }
__device__ __forceinline__ Complex operator-(const Complex& a, const Complex& b) { return {a.re - b.re, a.im - b.im}; }
__device__ __forceinline__ Complex operator*(vec s, const Complex& a) { return {s * a.re, s * a.im}; }

// SIGN -1: forward, exp(-2 pi i n k / N); +1: back, without the 1 / N
template <int SIGN> __device__ __forceinline__ Complex times_i(const Complex& a) {  // a times SIGN i
  return SIGN > 0 ? Complex{-a.im, a.re} : Complex{a.im, -a.re};
}
template <int SIGN> __device__ __forceinline__ Complex twist(const Complex& a, REAL c, REAL s) {  // a exp(SIGN i phase)
  return SIGN > 0 ? Complex{a.re * c - a.im * s, a.re * s + a.im * c} : Complex{a.re * c + a.im * s, a.im * c - a.re * s};
}

template <int SIGN> __device__ __forceinline__ void fft4(Complex& a0, Complex& a1, Complex& a2, Complex& a3) {
  Complex s0 = a0 + a2, d0 = a0 - a2, s1 = a1 + a3, d1 = times_i<SIGN>(a1 - a3);
  a0 = s0 + s1;
  a1 = d0 + d1;
  a2 = s0 - s1;
  a3 = d0 - d1;
}

// Even and odd places of a line of 2 HALF, and the line of their transforms, those of the odd ones turned
template <int HALF> __device__ __forceinline__ void split(const Complex* a, Complex* even, Complex* odd) {
  LINE_UNROLL for (int j = 0; j < HALF; ++j) {
    even[j] = a[2 * j];
    odd[j] = a[2 * j + 1];
  }
}
template <int HALF> __device__ __forceinline__ void join(const Complex* even, const Complex* odd, Complex* a) {
  LINE_UNROLL for (int k = 0; k < HALF; ++k) {
    a[k] = even[k] + odd[k];
    a[k + HALF] = even[k] - odd[k];
  }
}

template <int SIGN> __device__ __forceinline__ void fft8(Complex* a) {
  const REAL h = (REAL)0.70710678118654752440;
  Complex e[4] = {a[0], a[2], a[4], a[6]}, o[4] = {a[1], a[3], a[5], a[7]};
  fft4<SIGN>(e[0], e[1], e[2], e[3]);
  fft4<SIGN>(o[0], o[1], o[2], o[3]);
  Complex q1 = times_i<SIGN>(o[1]), q3 = times_i<SIGN>(o[3]);
  o[1] = {h * (o[1].re + q1.re), h * (o[1].im + q1.im)};
  o[2] = times_i<SIGN>(o[2]);
  o[3] = {h * (q3.re - o[3].re), h * (q3.im - o[3].im)};
  join<4>(e, o, a);
}

template <int SIGN> __device__ __forceinline__ void fft16(Complex* a) {
  const REAL c1 = (REAL)0.92387953251128675613, s1 = (REAL)0.38268343236508977173;
  Complex e[8], o[8];
  split<8>(a, e, o);
  fft8<SIGN>(e);
  fft8<SIGN>(o);
  const REAL h = (REAL)0.70710678118654752440;
  o[1] = twist<SIGN>(o[1], c1, s1);
  o[2] = twist<SIGN>(o[2], h, h);
  o[3] = twist<SIGN>(o[3], s1, c1);
  o[4] = times_i<SIGN>(o[4]);
  o[5] = twist<SIGN>(o[5], -s1, c1);
  o[6] = twist<SIGN>(o[6], -h, h);
  o[7] = twist<SIGN>(o[7], -c1, s1);
  join<8>(e, o, a);
}

template <int SIGN> __device__ __forceinline__ void fft32(Complex* a) {
  constexpr REAL cosine[8] = {(REAL)1, (REAL)0.98078528040323044913, (REAL)0.92387953251128675613, (REAL)0.83146961230254523708,
                              (REAL)0.70710678118654752440, (REAL)0.55557023301960222474, (REAL)0.38268343236508977173,
                              (REAL)0.19509032201612826785};  // of 2 pi k / 32
  Complex e[16], o[16];
  split<16>(a, e, o);
  fft16<SIGN>(e);
  fft16<SIGN>(o);
  LINE_UNROLL for (int k = 1; k < 8; ++k) {
    o[k] = twist<SIGN>(o[k], cosine[k], cosine[8 - k]);
    o[k + 8] = twist<SIGN>(o[k + 8], -cosine[8 - k], cosine[k]);
  }
  o[8] = times_i<SIGN>(o[8]);
  join<16>(e, o, a);
}

template <int N, int SIGN> __device__ __forceinline__ void fft(Complex* a) {
  if constexpr (N == 4) fft4<SIGN>(a[0], a[1], a[2], a[3]);
  if constexpr (N == 8) fft8<SIGN>(a);
  if constexpr (N == 16) fft16<SIGN>(a);
  if constexpr (N == 32) fft32<SIGN>(a);
}

// The two factors of a line's length
template <int N> struct Factors;
template <> struct Factors<32> { static constexpr int A = 4, B = 8; };
template <> struct Factors<64> { static constexpr int A = 8, B = 8; };
template <> struct Factors<128> { static constexpr int A = 8, B = 16; };
template <> struct Factors<256> { static constexpr int A = 16, B = 16; };
template <> struct Factors<512> { static constexpr int A = 16, B = 32; };
template <> struct Factors<1024> { static constexpr int A = 32, B = 32; };

// The four half transforms of a line; item = n2 (first) or k1 (second), `line(i)` the i-th place of the line.
// cosine, sine [A][B]: of 2 pi j n2 / N.
template <int N, class Line> __device__ __forceinline__ void load_first(const Line& line, int n2, Complex* a) {
  LINE_UNROLL for (int j = 0; j < Factors<N>::A; ++j) a[j] = line(Factors<N>::B * j + n2);
}
template <int N, class Line> __device__ __forceinline__ void load_second(const Line& line, int k1, Complex* a) {
  LINE_UNROLL for (int j = 0; j < Factors<N>::B; ++j) a[j] = line(Factors<N>::B * k1 + j);
}
template <int N, class Line> __device__ __forceinline__ void store_first(const Line& line, int n2, const Complex* a) {
  LINE_UNROLL for (int j = 0; j < Factors<N>::A; ++j) line(Factors<N>::B * j + n2) = a[j];
}
template <int N, class Line> __device__ __forceinline__ void store_second(const Line& line, int k1, const Complex* a) {
  LINE_UNROLL for (int j = 0; j < Factors<N>::B; ++j) line(Factors<N>::B * k1 + j) = a[j];
}
// forward: A-point transforms and the twist, of item n2
template <int N, class Line> __device__ __forceinline__ void forward_first(const Line& line, int n2, Complex* a, const REAL* cosine, const REAL* sine) {
  constexpr int A = Factors<N>::A, B = Factors<N>::B;
  fft<A, -1>(a);
  line(n2) = a[0];
  LINE_UNROLL for (int j = 1; j < A; ++j) line(B * j + n2) = twist<-1>(a[j], cosine[B * j + n2], sine[B * j + n2]);
}
// back: B-point transforms and the twist, of item k1
template <int N, class Line> __device__ __forceinline__ void back_second(const Line& line, int k1, Complex* a, const REAL* cosine, const REAL* sine) {
  constexpr int B = Factors<N>::B;
  fft<B, 1>(a);
  line(B * k1) = a[0];
  LINE_UNROLL for (int j = 1; j < B; ++j) line(B * k1 + j) = twist<1>(a[j], cosine[B * k1 + j], sine[B * k1 + j]);
}
