#include "host/loader/device_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "host/loader/library.hpp"
#include "tests/support/folders.hpp"

namespace sluice::loader {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const fs::path kFile = tests::bad_plugin_folder() / "lists_devices.so";

TEST(DeviceList, Devices_are_copied_and_wrong_ones_left_out_with_a_remark) {
  const auto library = Library::load(kFile);
  ASSERT_TRUE(library) << library.error().message;
  const Type& type = *(*library)->types()[0];
  EXPECT_TRUE(type.has_flag(SLUICE_TYPE_OPENS_DEVICES));

  const DeviceList list = list_devices(type);
  ASSERT_EQ(list.devices.size(), 2u);
  const ListedDevice& first = list.devices[0];
  EXPECT_EQ(first.parameter, "device");
  EXPECT_EQ(first.selector, "card with blanks");
  EXPECT_EQ(first.name, "A \\x1b[1mcard") << "made safe for a terminal";
  EXPECT_EQ(first.system, "Test");
  EXPECT_EQ(first.remark, "Somebody has it.");
  EXPECT_TRUE(first.is_default);
  EXPECT_EQ(first.channels, 2u);
  EXPECT_EQ(first.rate_hz, 48000u);
  ASSERT_EQ(first.offers.size(), 1u);
  EXPECT_EQ(first.offers[0].rate_hz_maximum, 48000u);
  EXPECT_EQ(list.devices[1].selector, "plain");
  EXPECT_FALSE(list.devices[1].is_default);
  EXPECT_THAT(list.devices[1].offers, IsEmpty());
  EXPECT_THAT(list.remarks,
              ElementsAre(HasSubstr("no parameter \"card\""), HasSubstr("has no selector"),
                          HasSubstr("cannot be printed"), "The server went away."));
}

TEST(DeviceList, Type_that_opens_none_has_none) {
  const auto library = Library::load(kFile);
  ASSERT_TRUE(library) << library.error().message;
  const Type& type = *(*library)->types()[1];
  EXPECT_FALSE(type.has_flag(SLUICE_TYPE_OPENS_DEVICES));
  const DeviceList list = list_devices(type);
  EXPECT_THAT(list.devices, IsEmpty());
  EXPECT_THAT(list.remarks, IsEmpty());
}

}  // namespace
}  // namespace sluice::loader
