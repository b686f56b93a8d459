#include "host/loader/descriptor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

namespace sluice::loader {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kModes[] = {"listen", "connect"};

// A flawless type to spoil.
class Good final : public Filter<Good> {
 public:
  static constexpr Info kInfo{"test.good", "Good", "Is without defect."};
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("gain_db", "dB", -60, 20, -6, "How much.", kLive),
      sluice::integer("count", nullptr, 0, 10, 3, "How many."),
      sluice::boolean("mute", false, "Whether."),
      sluice::choice("mode", kModes, 1, "Which."),
      sluice::text("path", "", "Where.", kOutputPath, "file"),
      sluice::list("map", nullptr, 0, 63, "Order.")};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::gauge("level_db", "dB", "Level.", "gain_db")};
  void filter(const float*, float*, uint32_t, uint32_t) {}
};

class Descriptor : public ::testing::Test {
 protected:
  Descriptor()
      : type(TypeOf<Good>::kType),
        parameters(std::begin(Good::kParameters), std::end(Good::kParameters)),
        ports(std::begin(kFilterPorts), std::end(kFilterPorts)),
        statistics(std::begin(Good::kStatistics), std::end(Good::kStatistics)),
        functions(TypeOf<Good>::kFunctions) {
    offers.assign(std::begin(kOfferF32), std::end(kOfferF32));
    ports[0].offers = offers.data();
    link();
  }
  void link() {
    type.parameters = parameters.data();
    type.parameter_count = static_cast<uint32_t>(parameters.size());
    type.ports = ports.data();
    type.port_count = static_cast<uint32_t>(ports.size());
    type.statistics = statistics.data();
    type.statistic_count = static_cast<uint32_t>(statistics.size());
    type.functions = &functions;
  }
  std::vector<std::string> defects(uint16_t abi_minor = SLUICE_ABI_MINOR) {
    record = std::make_unique<TypeRecord>();
    std::vector<std::string> found = copy_type(&type, *record);
    if (found.empty()) found = check_type(*record, abi_minor, true);
    return found;
  }
  // The only defect there is.
  std::string defect(uint16_t abi_minor = SLUICE_ABI_MINOR) {
    const std::vector<std::string> found = defects(abi_minor);
    EXPECT_EQ(found.size(), 1u) << ::testing::PrintToString(found);
    return found.empty() ? std::string() : found[0];
  }

  sluice_type type;
  std::vector<sluice_parameter> parameters;
  std::vector<sluice_port> ports;
  std::vector<sluice_format_offer> offers;
  std::vector<sluice_statistic> statistics;
  sluice_node_functions functions;
  std::unique_ptr<TypeRecord> record;
};

TEST_F(Descriptor, Flawless_type_is_copied_whole) {
  EXPECT_THAT(defects(), IsEmpty());
  const sluice_type& copy = record->data;
  EXPECT_STREQ(copy.id, "test.good");
  ASSERT_EQ(copy.parameter_count, 6u);
  EXPECT_STREQ(copy.parameters[3].choices[1], "connect");
  EXPECT_EQ(copy.parameters[0].minimum, -60);
  EXPECT_STREQ(copy.parameters[1].unit, "") << "null becomes empty";
  EXPECT_STREQ(copy.parameters[4].claim, "file");
  EXPECT_EQ(copy.parameters[0].claim, nullptr);
  ASSERT_EQ(copy.port_count, 2u);
  EXPECT_EQ(copy.ports[1].flags, SLUICE_PORT_SAME_FORMAT);
  ASSERT_EQ(copy.ports[0].offer_count, 1u);
  EXPECT_EQ(copy.ports[0].offers[0].channels_maximum, SLUICE_MAX_CHANNELS);
  ASSERT_EQ(copy.statistic_count, 1u);
  EXPECT_STREQ(copy.statistics[0].against, "gain_db");
  EXPECT_EQ(copy.functions, &functions);
}

TEST_F(Descriptor, Older_smaller_struct_gets_zeros) {
  struct {
    uint32_t struct_size = 12;
    uint32_t kind = SLUICE_COUNTER;
    uint32_t beyond = 0xFFFFFFFF;
    uint32_t far_beyond = 0xFFFFFFFF;
  } const old;
  const auto copy = copy_sized<sluice_value>(&old, 8);
  EXPECT_EQ(copy.struct_size, sizeof(sluice_value));
  EXPECT_EQ(copy.kind, uint32_t{SLUICE_COUNTER});
  EXPECT_EQ(copy.number, 0.0);
  EXPECT_EQ(copy.rows, 0u);
}

TEST_F(Descriptor, Null_type_is_a_defect) {
  TypeRecord empty;
  EXPECT_THAT(copy_type(nullptr, empty), ElementsAre("a type is null."));
}

TEST_F(Descriptor, Struct_sizes_that_cannot_be_are_defects) {
  type.struct_size = 0;
  EXPECT_EQ(defect(),
            "a type is unusable: struct_size of sluice_type is 0, less than the 88 of ABI 1.0; set "
            "it to sizeof(sluice_type).");
  type.struct_size = sizeof(sluice_type);
  parameters[0].struct_size = 1'000'000'000;
  EXPECT_EQ(defect(),
            "type test.good: struct_size of sluice_parameter is 1000000000, which is no size of a "
            "struct; set it to sizeof(sluice_parameter).");
  parameters[0].struct_size = sizeof(sluice_parameter) + 1;
  EXPECT_EQ(defects().size(), 1u);
  parameters[0].struct_size = sizeof(sluice_parameter);
  parameters[2].struct_size = 8;
  EXPECT_EQ(defect(), "type test.good: struct_size of sluice_parameter 2 is 8, of the first one " +
                          std::to_string(sizeof(sluice_parameter)) + "; all must be the same.");
}

TEST_F(Descriptor, Null_pointers_are_defects) {
  type.ports = nullptr;
  type.statistics = nullptr;
  EXPECT_THAT(defects(),
              ElementsAre("type test.good: it has 2 ports, but the pointer to them is null.",
                          "type test.good: it has 1 statistics, but the pointer to them is null."));
  link();
  type.id = nullptr;
  EXPECT_EQ(defect(), "a type without id: its id is null.");
  type.id = "test.good";
  parameters[1].key = nullptr;
  ports[1].key = nullptr;
  statistics[0].key = nullptr;
  EXPECT_THAT(defects(), ElementsAre("type test.good, port 1: its key is null.",
                                     "type test.good, parameter 1: its key is null.",
                                     "type test.good, statistic 0: its key is null."));
}

TEST_F(Descriptor, Null_choices_are_defects) {
  parameters[3].choices = nullptr;
  EXPECT_EQ(defect(),
            "type test.good, parameter mode: it has 2 choices, but the pointer to them is null.");
  const char* const with_null[] = {"listen", nullptr};
  parameters[3].choices = with_null;
  EXPECT_EQ(defect(), "type test.good, parameter mode: choice 1 is null.");
}

TEST_F(Descriptor, Counts_that_were_never_set_are_defects) {
  type.port_count = 0xCDCDCDCD;
  EXPECT_EQ(defect(), "type test.good: it claims to have 3452816845 ports; 256 are allowed.");
}

TEST_F(Descriptor, Missing_functions_are_defects) {
  functions.describe = nullptr;
  EXPECT_THAT(defects(), IsEmpty()) << "describe may be null";
  functions.create = nullptr;
  functions.get_interface = nullptr;
  EXPECT_THAT(defects(), ElementsAre("type test.good: its function create is null.",
                                     "type test.good: its function get_interface is null."));
  type.functions = nullptr;
  EXPECT_EQ(defect(), "type test.good: its functions are null.");
}

TEST_F(Descriptor, Ids_and_keys_of_another_form_are_defects) {
  type.id = "Gate";
  EXPECT_EQ(defect(),
            "type Gate: its id must be two or more words of lower-case letters, digits, _ and -, "
            "separated by dots, like filter.gate or com.example.filter.foo, and have at most 128 "
            "bytes.");
  type.id = "test.good";
  parameters[0].key = "gain-db";
  statistics.clear();
  link();
  EXPECT_EQ(defect(),
            "type test.good, parameter gain-db: its key must be lower-case letters, digits and _, "
            "begin with a letter and have at most 64 bytes.");
}

TEST_F(Descriptor, Type_ids_are_told_apart) {
  for (const char* const id : {"filter.gate", "com.example.sink.foo-bar_2", "a.b", "net.7zip.x"}) {
    EXPECT_TRUE(is_type_id(id)) << id;
  }
  for (const char* const id :
       {"", "gate", ".gate", "filter.", "filter..gate", "Filter.gate", "filter.gate.so/", "../a.b",
        "filter. gate", "1.b", "a.-b", "a.b\n"}) {
    EXPECT_FALSE(is_type_id(id)) << id;
  }
  EXPECT_TRUE(is_type_id("a." + std::string(126, 'b')));
  EXPECT_FALSE(is_type_id("a." + std::string(127, 'b')));
}

TEST_F(Descriptor, Equal_keys_are_defects) {
  parameters[2].key = "count";
  ports[1].key = "in";
  EXPECT_THAT(defects(),
              ElementsAre("type test.good, port in: another one before it has the same key.",
                          "type test.good, parameter count: another one before it has the same "
                          "key."));
}

TEST_F(Descriptor, Unknown_values_are_defects) {
  type.execution = 0;
  EXPECT_EQ(defect(), "type test.good: its execution is 0; it must be 1 to 3.");
  type.execution = 4;
  EXPECT_EQ(defect(7),
            "type test.good: its execution is 4; this Sluice, which is older than the plugin, "
            "knows 1 to 3.");
  type.execution = SLUICE_EXECUTION_PASSIVE;
  ports[0].clock = 0;
  EXPECT_EQ(defect(), "type test.good, port in: its clock is 0; it must be 1 to 4.");
  ports[0].clock = SLUICE_CLOCK_NONE;
  parameters[5].kind = 8;
  EXPECT_EQ(defect(), "type test.good, parameter map: its kind is 8; it must be 1 to 7.");
}

TEST_F(Descriptor, Unknown_flags_are_defects_unless_the_plugin_is_newer) {
  type.flags |= 1U << 30U;
  EXPECT_EQ(defect(),
            "type test.good: its flags 0x40000002 contain bits that ABI 1.0 does not have.");
  EXPECT_THAT(defects(1), IsEmpty());
  EXPECT_EQ(record->data.flags, uint32_t{SLUICE_TYPE_EQUAL_COUNTS});
}

TEST_F(Descriptor, Defaults_outside_their_range_are_defects) {
  parameters[0].default_number = 30;
  parameters[1].default_number = 2.5;
  parameters[2].default_number = 2;
  parameters[3].default_number = 2;
  EXPECT_THAT(
      defects(),
      ElementsAre("type test.good, parameter gain_db: its default 30 is outside -60 to 20.",
                  "type test.good, parameter count: its default 2.5 is not a whole number of at "
                  "most 2^53.",
                  "type test.good, parameter mute: its default 2 is neither 0 nor 1.",
                  "type test.good, parameter mode: its default 2 is no index of its 2 choices."));
  for (sluice_parameter& parameter : parameters) parameter.flags |= SLUICE_PARAMETER_REQUIRED;
  EXPECT_THAT(defects(), IsEmpty()) << "a required parameter has no default";
}

TEST_F(Descriptor, Numbers_that_are_none_are_defects) {
  parameters[0].default_number = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(defect(), "type test.good, parameter gain_db: its default nan is outside -60 to 20.");
  parameters[0].default_number = -6;
  parameters[0].minimum = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(defect(), "type test.good, parameter gain_db: its range nan to 20 is empty.");
  parameters[0].minimum = 21;
  EXPECT_EQ(defect(), "type test.good, parameter gain_db: its range 21 to 20 is empty.");
}

TEST_F(Descriptor, Uses_that_make_no_sense_are_defects) {
  parameters[5].flags = SLUICE_PARAMETER_LIVE;
  parameters[1].flags = SLUICE_PARAMETER_INPUT_PATH;
  parameters[4].flags = SLUICE_PARAMETER_INPUT_PATH | SLUICE_PARAMETER_OUTPUT_PATH;
  parameters[4].claim = "";
  EXPECT_THAT(
      defects(),
      ElementsAre(
          "type test.good, parameter count: only a text can be a path.",
          "type test.good, parameter path: it is both an input and an output path.",
          "type test.good, parameter path: its claim is empty; it must be a name or null.",
          "type test.good, parameter map: only numbers, integers, booleans and choices can be "
          "live."));
}

TEST_F(Descriptor, Claim_condition_must_name_a_parameter_and_a_value) {
  parameters[4].claim_when = "mode=listen";
  EXPECT_THAT(defects(), IsEmpty());
  for (const char* const wrong : {"mode=bogus", "nothing=1", "mode", "path=x"}) {
    parameters[4].claim_when = wrong;
    EXPECT_EQ(defect(), "type test.good, parameter path: its claim_when \"" + std::string(wrong) +
                            "\" must be another parameter's key, = and one of its values.");
  }
}

TEST_F(Descriptor, Choices_that_cannot_be_told_apart_are_defects) {
  const char* const twice[] = {"a", "a"};
  parameters[3].choices = twice;
  EXPECT_EQ(defect(), "type test.good, parameter mode: the choice a comes twice.");
  parameters[3].choice_count = 0;
  EXPECT_EQ(defect(), "type test.good, parameter mode: it is a choice without choices.");
}

TEST_F(Descriptor, Statistic_against_an_unknown_parameter_is_a_defect) {
  statistics[0].against = "threshold_db";
  EXPECT_EQ(defect(),
            "type test.good, statistic level_db: it is measured against threshold_db, which is no "
            "parameter of the type.");
}

TEST_F(Descriptor, Offers_that_cannot_be_are_defects) {
  offers[0].sample_formats = 0;
  EXPECT_THAT(defects(), ElementsAre("type test.good, port in: an offer's sample_formats are 0x0; "
                                     "combine SLUICE_SAMPLE_BIT(...).",
                                     "type test.good, port in: an offer prefers a sample format "
                                     "that it does not contain."));
  offers[0] = kOfferF32[0];
  offers[0].preferred = 200;
  EXPECT_EQ(defect(),
            "type test.good, port in: an offer prefers a sample format that it does not contain.");
  offers[0] = kOfferF32[0];
  offers[0].channels_minimum = 0;
  offers[0].channels_maximum = 100;
  offers[0].rate_hz_maximum = 500;
  EXPECT_THAT(
      defects(),
      ElementsAre("type test.good, port in: an offer has 0 to 100 channels; possible are 1 to 64.",
                  "type test.good, port in: an offer has rates of 1000 to 500 Hz; possible are "
                  "1000 to 768000 Hz."));
}

TEST_F(Descriptor, Port_flags_that_make_no_sense_are_defects) {
  ports[0].flags = SLUICE_PORT_SAME_RATE;
  ports[1].flags = SLUICE_PORT_OPTIONAL;
  EXPECT_THAT(
      defects(),
      ElementsAre("type test.good, port in: SLUICE_PORT_SAME_... is for PCM outputs of types that "
                  "have a PCM input.",
                  "type test.good, port out: SLUICE_PORT_OPTIONAL is for inputs; any output may "
                  "stay unconnected."));
}

TEST_F(Descriptor, Adapting_type_needs_the_parameter_it_is_told_by) {
  type.flags |= SLUICE_TYPE_ADAPTS_RATE;
  EXPECT_EQ(defect(), "type test.good: SLUICE_TYPE_ADAPTS_RATE needs a parameter named rate_hz.");
  type.flags = SLUICE_TYPE_EQUAL_COUNTS;
  ports.pop_back();
  link();
  EXPECT_EQ(defect(),
            "type test.good: SLUICE_TYPE_EQUAL_COUNTS needs a PCM input and a PCM output.");
}

TEST_F(Descriptor, Text_that_is_no_utf8_is_a_defect) {
  type.description = "caf\xE9";
  EXPECT_EQ(defect(), "type test.good: its description is not valid UTF-8.");
}

}  // namespace
}  // namespace sluice::loader
