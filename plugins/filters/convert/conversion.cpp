#include "conversion.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace convert {
namespace {

static_assert(std::endian::native == std::endian::little, "s24 is taken apart byte by byte");

// A sample between reading and writing is a float or an integer shifted up to 32 bits, which leaves
// every integer format exact.
struct F32 {
  using Value = float;
  static constexpr int kBits = 0;
};
struct S16 {
  using Value = int32_t;
  static constexpr int kBits = 16;
};
struct S24 {
  using Value = int32_t;
  static constexpr int kBits = 24;
};
struct S32 {
  using Value = int32_t;
  static constexpr int kBits = 32;
};

// One round of blocks this large stays in the first-level cache.
constexpr size_t kChunk = 512;

// Hash of consecutive integers without visible bias: lowbias32 of C. Wellons, "Prospecting for
// Hash Functions" (2018).
inline uint32_t hash(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

// Triangular, strictly within -2^bits..2^bits.
template <int bits>
inline int32_t triangle(uint32_t random) {
  static_assert(bits == 8 || bits == 16);
  return static_cast<int32_t>(random >> (32 - bits)) -
         static_cast<int32_t>((random & 0xffffu) >> (16 - bits));
}

// To the nearest integer of `bits` bits, ties to even. `x` is in units of that integer.
template <int bits>
inline int32_t round_to(float x) {
  constexpr float kTop = static_cast<float>(1u << (bits - 1));
  if (std::isnan(x)) return 0;
  if (x >= kTop - 1.0f) return static_cast<int32_t>((1u << (bits - 1)) - 1u);
  return static_cast<int32_t>(std::nearbyint(std::max(x, -kTop)));
}

// The same for many, with the one instruction that every machine has for it: left to themselves the
// compilers call a function for each sample.
template <int bits>
inline void round_all(const float* values, int32_t* results, size_t samples) {
  size_t i = 0;
#if defined(__SSE2__)
  const __m128 top = _mm_set1_ps(static_cast<float>(1u << (bits - 1)));
  const __m128 most = bits == 32 ? top : _mm_sub_ps(top, _mm_set1_ps(1.0f));
  const __m128 least = _mm_sub_ps(_mm_setzero_ps(), top);
  for (; i + 4 <= samples; i += 4) {
    __m128 x = _mm_loadu_ps(values + i);
    x = _mm_and_ps(x, _mm_cmpord_ps(x, x));
    x = _mm_max_ps(_mm_min_ps(x, most), least);
    __m128i whole = _mm_cvtps_epi32(x);
    // 2^31 comes out as the most negative integer.
    if constexpr (bits == 32) {
      whole = _mm_xor_si128(whole, _mm_castps_si128(_mm_cmpge_ps(x, top)));
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(results + i), whole);
  }
#elif defined(__aarch64__)
  const int32x4_t most = vdupq_n_s32(static_cast<int32_t>((1u << (bits - 1)) - 1u));
  const int32x4_t least = vsubq_s32(vdupq_n_s32(-1), most);
  for (; i + 4 <= samples; i += 4) {
    const int32x4_t whole = vcvtnq_s32_f32(vld1q_f32(values + i));  // saturates, NaN is 0
    vst1q_s32(results + i, vmaxq_s32(vminq_s32(whole, most), least));
  }
#endif
  for (; i < samples; ++i) results[i] = round_to<bits>(values[i]);
}

// A 32-bit sample to the nearest of `bits` bits. `dither` is in units of the sample's least
// significant bit.
template <int bits>
inline int32_t round_to(int32_t sample, int32_t dither) {
  if constexpr (bits == 32) return sample;
  constexpr int kShift = 32 - bits;
  constexpr int32_t kMask = static_cast<int32_t>((1u << kShift) - 1u);
  constexpr int32_t kTop = static_cast<int32_t>((1u << (bits - 1)) - 1u);
  const int32_t floor = sample >> kShift;
  const int32_t rest = (sample & kMask) + dither + kMask / 2 + (floor & 1);
  const int32_t rounded = floor + (rest >> kShift);
  return std::clamp(rounded, -kTop - 1, kTop);
}

template <typename From>
inline void read(const unsigned char* in, typename From::Value* values, size_t samples) {
  if constexpr (From::kBits == 16) {
    for (size_t i = 0; i < samples; ++i) {
      uint16_t word;
      std::memcpy(&word, in + 2 * i, 2);
      values[i] = static_cast<int32_t>(uint32_t{word} << 16);
    }
  } else if constexpr (From::kBits == 24) {
    // One load takes the sample and the byte in front of it.
    values[0] =
        static_cast<int32_t>(uint32_t{in[0]} << 8 | uint32_t{in[1]} << 16 | uint32_t{in[2]} << 24);
    for (size_t i = 1; i < samples; ++i) {
      uint32_t word;
      std::memcpy(&word, in + 3 * i - 1, 4);
      values[i] = static_cast<int32_t>(word & 0xffffff00u);
    }
  } else {
    std::memcpy(values, in, samples * sizeof(*values));
  }
}

template <typename To>
inline void write(const typename To::Value* values, unsigned char* out, size_t samples) {
  if constexpr (To::kBits == 16) {
    size_t i = 0;
#if defined(__SSE2__)
    for (; i + 8 <= samples; i += 8) {
      const auto* from = reinterpret_cast<const __m128i*>(values + i);
      const __m128i words = _mm_packs_epi32(_mm_loadu_si128(from), _mm_loadu_si128(from + 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 2 * i), words);
    }
#endif
    for (; i < samples; ++i) {
      const auto word = static_cast<int16_t>(values[i]);
      std::memcpy(out + 2 * i, &word, 2);
    }
  } else if constexpr (To::kBits == 24) {
    // One store writes the sample and a byte that the next one overwrites.
    for (size_t i = 0; i + 1 < samples; ++i) std::memcpy(out + 3 * i, &values[i], 4);
    std::memcpy(out + 3 * (samples - 1), &values[samples - 1], 3);
  } else {
    std::memcpy(out, values, samples * sizeof(*values));
  }
}

template <typename From, typename To, bool with_dither>
void convert(const void* in, void* out, size_t samples, Dither& dither) {
  const auto* from = static_cast<const unsigned char*>(in);
  auto* to = static_cast<unsigned char*>(out);
  constexpr size_t kFromBytes = From::kBits == 0 ? 4 : From::kBits / 8;
  constexpr size_t kToBytes = To::kBits == 0 ? 4 : To::kBits / 8;
  typename From::Value values[kChunk];
  typename To::Value results[kChunk];
  for (size_t done = 0; done < samples; done += kChunk) {
    const size_t count = std::min(samples - done, kChunk);
    read<From>(from + done * kFromBytes, values, count);
    const uint32_t place = dither.seed + dither.position;
    if constexpr (with_dither) dither.position += static_cast<uint32_t>(count);

    if constexpr (To::kBits == 0) {
      for (size_t i = 0; i < count; ++i) results[i] = static_cast<float>(values[i]) * 0x1p-31f;
    } else if constexpr (From::kBits == 0) {
      constexpr float kScale = static_cast<float>(1u << (To::kBits - 1));
      for (size_t i = 0; i < count; ++i) {
        values[i] *= kScale;
        if constexpr (with_dither) {
          const int32_t noise = triangle<16>(hash(place + static_cast<uint32_t>(i)));
          values[i] += static_cast<float>(noise) * 0x1p-16f;
        }
      }
      round_all<To::kBits>(values, results, count);
    } else {
      for (size_t i = 0; i < count; ++i) {
        int32_t noise = 0;
        if constexpr (with_dither) {
          noise = triangle<32 - To::kBits>(hash(place + static_cast<uint32_t>(i)));
        }
        results[i] = round_to<To::kBits>(values[i], noise);
      }
    }
    write<To>(results, to + done * kToBytes, count);
  }
}

template <uint32_t bytes>
void copy(const void* in, void* out, size_t samples, Dither&) {
  std::memcpy(out, in, samples * bytes);
}

template <typename From>
Conversion find_from(sluice_sample_format to, bool with_dither) {
  const auto pick = [&]<typename To>(To) -> Conversion {
    if constexpr (std::is_same_v<From, To>) {
      return copy < From::kBits == 0 ? 4 : From::kBits / 8 > ;
    } else if constexpr (To::kBits != 0 && To::kBits < 32 &&
                         (From::kBits == 0 || From::kBits > To::kBits)) {
      return with_dither ? convert<From, To, true> : convert<From, To, false>;
    } else {
      return convert<From, To, false>;
    }
  };
  switch (to) {
    case SLUICE_SAMPLE_F32:
      return pick(F32{});
    case SLUICE_SAMPLE_S16:
      return pick(S16{});
    case SLUICE_SAMPLE_S24:
      return pick(S24{});
    default:
      return pick(S32{});
  }
}

}  // namespace

Conversion find_conversion(sluice_sample_format from, sluice_sample_format to, bool with_dither) {
  switch (from) {
    case SLUICE_SAMPLE_F32:
      return find_from<F32>(to, with_dither);
    case SLUICE_SAMPLE_S16:
      return find_from<S16>(to, with_dither);
    case SLUICE_SAMPLE_S24:
      return find_from<S24>(to, with_dither);
    default:
      return find_from<S32>(to, with_dither);
  }
}

}  // namespace convert
