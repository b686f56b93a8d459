// The C++ layer of the plugin SDK: include this, derive from Filter, Passive, Threaded or Device
// (see node.hpp), and end the file with SLUICE_PLUGIN(name, version, Type, ...).
#pragma once

#include <sluice/devices.hpp>
#include <sluice/families.hpp>
#include <sluice/frames.hpp>
#include <sluice/node.hpp>
#include <sluice/ramp.hpp>

namespace sluice {

// The ABI data and functions of node class T.
template <typename T>
struct TypeOf {
  static T& self(sluice_node* node) { return *reinterpret_cast<T*>(node); }

  // Runs `body` and turns an exception into a result with its sentence.
  template <typename Body>
  static sluice_result guarded(const sluice_host* host, Body body) noexcept {
    try {
      body();
      return SLUICE_OK;
    } catch (const Failure& failure) {
      if (!failure.sentence.empty()) host->fail(host, failure.result, failure.sentence.c_str());
      return failure.result;
    } catch (const std::bad_alloc&) {
      host->fail(host, SLUICE_ERROR_MEMORY, "Not enough memory.");
      return SLUICE_ERROR_MEMORY;
    } catch (const std::exception& error) {
      host->fail(host, SLUICE_ERROR_INTERNAL, error.what());
      return SLUICE_ERROR_INTERNAL;
    } catch (...) {
      host->fail(host, SLUICE_ERROR_INTERNAL, "An unknown exception was thrown.");
      return SLUICE_ERROR_INTERNAL;
    }
  }

  static sluice_result create(const sluice_host* host, sluice_node** node) {
    return guarded(host, [&] {
      T* made = new T;
      static_cast<Node*>(made)->host_ = host;
      *node = reinterpret_cast<sluice_node*>(made);
    });
  }
  static void destroy(sluice_node* node) { delete &self(node); }
  static sluice_result describe(sluice_node* node, uint32_t port, const sluice_format* inputs,
                                sluice_port_info* info) {
    return guarded(host(node), [&] {
      if constexpr (requires(T & t) { t.describe(port, inputs, *info); })
        self(node).describe(port, inputs, *info);
    });
  }
  static sluice_result prepare(sluice_node* node, sluice_setup* abi_setup) {
    return guarded(host(node), [&] {
      T& t = self(node);
      Setup setup(*abi_setup);
      if constexpr (T::kExecution == SLUICE_EXECUTION_THREADED) {
        t.worker_ = t.template extension<sluice_worker_host>(SLUICE_WORKER_HOST);
      } else if constexpr (T::kExecution == SLUICE_EXECUTION_DEVICE) {
        t.device_ = t.template extension<sluice_device_host>(SLUICE_DEVICE_HOST);
      }
      if constexpr (std::is_base_of_v<Filter<T>, T>) {
        static_cast<Filter<T>&>(t).channels_ = setup.channels();
      }
      if constexpr (requires { t.prepare(setup); }) t.prepare(setup);
      if constexpr (std::is_base_of_v<Filter<T>, T>) {
        Filter<T>& filter = t;
        filter.latency_frames_ = static_cast<uint32_t>(setup.port(1).latency_frames);
        filter.tail_frames_ = filter.latency_frames_;
      }
    });
  }
  static void release(sluice_node* node) {
    if constexpr (requires(T & t) { t.release(); }) self(node).release();
  }

  static sluice_status process(sluice_node* node, sluice_block* block) {
    return self(node).process(*block);
  }
  static void reset(sluice_node* node) {
    if constexpr (requires(T & t) { t.reset(); }) self(node).reset();
    if constexpr (std::is_base_of_v<Filter<T>, T>) {
      Filter<T>& filter = self(node);
      filter.tail_frames_ = filter.latency_frames_;
    }
  }
  static sluice_result run(sluice_node* node) {
    return guarded(host(node), [&] { self(node).run(); });
  }
  static sluice_result start(sluice_node* node) {
    return guarded(host(node), [&] { self(node).start(); });
  }
  static void stop(sluice_node* node) { self(node).stop(); }

  static const void* get_interface(const sluice_node* node, const char* id) {
    const std::string_view wanted = id;
    if constexpr (T::kExecution == SLUICE_EXECUTION_PASSIVE) {
      static constexpr sluice_passive kTable{process, reset};
      if (wanted == SLUICE_PASSIVE) return &kTable;
    } else if constexpr (T::kExecution == SLUICE_EXECUTION_THREADED) {
      static constexpr sluice_threaded kTable{run};
      if (wanted == SLUICE_THREADED) return &kTable;
    } else {
      static constexpr sluice_device kTable{start, stop};
      if (wanted == SLUICE_DEVICE) return &kTable;
    }
    if constexpr (requires(const T& t) { t.get_extension(wanted); }) {
      return reinterpret_cast<const T*>(node)->get_extension(wanted);
    }
    return nullptr;
  }

  static constexpr bool kListsDevices = requires(const DeviceListing& listing) {
    T::list_devices(listing);
  };
  static void list_devices(const sluice_device_listing& abi_listing) noexcept {
    if constexpr (kListsDevices) {
      try {
        const DeviceListing listing(abi_listing);
        T::list_devices(listing);
      } catch (const Failure& failure) {
        abi_listing.remark(abi_listing.context, failure.sentence.c_str());
      } catch (const std::exception& error) {
        abi_listing.remark(abi_listing.context, error.what());
      } catch (...) {
        abi_listing.remark(abi_listing.context, "An unknown exception was thrown.");
      }
    }
  }

  static constexpr bool kIsFamily = requires(const MemberListing& listing) {
    T::list_members(listing);
  };
  static void list_members(const sluice_member_listing& abi_listing) noexcept {
    if constexpr (kIsFamily) {
      try {
        const MemberListing listing(abi_listing);
        T::list_members(listing);
      } catch (const Failure& failure) {
        abi_listing.remark(abi_listing.context, failure.sentence.c_str());
      } catch (const std::exception& error) {
        abi_listing.remark(abi_listing.context, error.what());
      } catch (...) {
        abi_listing.remark(abi_listing.context, "An unknown exception was thrown.");
      }
    }
  }
  static const sluice_type* find_member(const char* name, void* context,
                                        void (*fail)(void*, const char*)) noexcept {
    if constexpr (kIsFamily) {
      try {
        return T::find_member(name);
      } catch (const Failure& failure) {
        fail(context, failure.sentence.c_str());
      } catch (const std::exception& error) {
        fail(context, error.what());
      } catch (...) {
        fail(context, "An unknown exception was thrown.");
      }
    }
    return nullptr;
  }

  static constexpr uint32_t flags() {
    uint32_t flags = T::kInfo.flags;
    if constexpr (requires { T::kTypeFlags; }) flags |= T::kTypeFlags;
    if constexpr (kListsDevices) flags |= SLUICE_TYPE_OPENS_DEVICES;
    if constexpr (kIsFamily) flags |= SLUICE_TYPE_FAMILY;
    return flags;
  }
  static constexpr sluice_node_functions kFunctions{create,  destroy, describe,
                                                    prepare, release, get_interface};
  static constexpr sluice_type make() {
    sluice_type type{};
    type.struct_size = sizeof(type);
    type.execution = T::kExecution;
    type.flags = flags();
    type.id = T::kInfo.id;
    type.name = T::kInfo.name;
    type.description = T::kInfo.description;
    type.ports = T::kPorts;
    type.port_count = static_cast<uint32_t>(std::size(T::kPorts));
    if constexpr (requires { T::kParameters; }) {
      type.parameters = T::kParameters;
      type.parameter_count = static_cast<uint32_t>(std::size(T::kParameters));
    }
    if constexpr (requires { T::kStatistics; }) {
      type.statistics = T::kStatistics;
      type.statistic_count = static_cast<uint32_t>(std::size(T::kStatistics));
    }
    type.functions = &kFunctions;
    return type;
  }
  static constexpr sluice_type kType = make();

 private:
  static const sluice_host* host(sluice_node* node) {
    return static_cast<const Node&>(self(node)).host_;
  }
};

template <typename... T>
inline constexpr const sluice_type* kTypes[] = {&TypeOf<T>::kType...};

// What a library with the node classes T offers besides them: lists of devices, families of types.
template <typename... T>
struct LibraryExtensions {
  static constexpr bool kHasDevices = (TypeOf<T>::kListsDevices || ...);
  static constexpr bool kHasFamilies = (TypeOf<T>::kIsFamily || ...);

  static void list_devices(const char* type, const sluice_device_listing* listing) {
    const std::string_view wanted = type;
    ((wanted == T::kInfo.id ? TypeOf<T>::list_devices(*listing) : void()), ...);
  }
  static void list_members(const char* family, const sluice_member_listing* listing) {
    const std::string_view wanted = family;
    ((wanted == T::kInfo.id ? TypeOf<T>::list_members(*listing) : void()), ...);
  }
  static const sluice_type* find_member(const char* family, const char* name, void* context,
                                        void (*fail)(void*, const char*)) {
    const std::string_view wanted = family;
    const sluice_type* found = nullptr;
    ((wanted == T::kInfo.id ? void(found = TypeOf<T>::find_member(name, context, fail)) : void()),
     ...);
    return found;
  }
  static constexpr sluice_device_list kDevices{list_devices};
  static constexpr sluice_type_families kFamilies{list_members, find_member};
  static const void* get_extension(const char* id) {
    const std::string_view wanted = id;
    if (kHasDevices && wanted == SLUICE_DEVICE_LIST) return &kDevices;
    if (kHasFamilies && wanted == SLUICE_TYPE_FAMILIES) return &kFamilies;
    return nullptr;
  }
};

constexpr uint32_t build_flags() {
  uint32_t flags = 0;
#if defined(__SANITIZE_ADDRESS__)
  flags |= SLUICE_BUILD_ADDRESS_SANITIZER;
#endif
#if defined(__SANITIZE_THREAD__)
  flags |= SLUICE_BUILD_THREAD_SANITIZER;
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  flags |= SLUICE_BUILD_ADDRESS_SANITIZER;
#endif
#if __has_feature(thread_sanitizer)
  flags |= SLUICE_BUILD_THREAD_SANITIZER;
#endif
#endif
  return flags;
}

template <typename... T>
constexpr sluice_library library(const char* name, const char* version, const char* vendor,
                                 const char* license) {
  sluice_library l{};
  l.struct_size = sizeof(l);
  l.abi_major = SLUICE_ABI_MAJOR;
  l.abi_minor = SLUICE_ABI_MINOR;
  l.build_flags = build_flags();
  l.types = kTypes<T...>;
  l.type_count = sizeof...(T);
  l.name = name;
  l.version = version;
  l.vendor = vendor;
  l.license = license;
  using Extensions = LibraryExtensions<T...>;
  if constexpr (Extensions::kHasDevices || Extensions::kHasFamilies)
    l.get_extension = Extensions::get_extension;
  return l;
}

}  // namespace sluice

// Defines the plugin: its name, version, vendor and licence (SPDX), then its node classes.
#define SLUICE_PLUGIN(name, version, vendor, license, ...)     \
  extern "C" SLUICE_EXPORT const sluice_library sluice_entry = \
      ::sluice::library<__VA_ARGS__>(name, version, vendor, license)
