#include "host/validate/options.hpp"

#include <boost/program_options/value_semantic.hpp>

namespace sluice::validate {

namespace po = boost::program_options;

void Options::add_to(po::options_description& options,
                     po::positional_options_description& positional) {
  auto add = options.add_options();
  add("file", po::value(&file)->value_name("FILE.so"), "the plugin");
  add("level", po::value(&level)->value_name("1..3"),
      "1: a second; 2 (default): before a release; 3: all there is");
  add("only", po::value(&only)->value_name("CHECK"),
      "this check, or all whose names begin so; may be repeated");
  add("type", po::value(&types)->value_name("ID"), "this type only; may be repeated");
  add("set", po::value(&settings)->value_name("PARAMETER=VALUE"),
      "a parameter for every node that is made; may be repeated");
  add("fuzz", po::bool_switch(&is_fuzz), "random parameters too, at every level");
  add("seed", po::value(&seed)->value_name("N"), "of everything random (1)");
  add("patience", po::value(&patience_s)->value_name("SECONDS"), "how long a check may last (30)");
  add("list", po::bool_switch(&is_list), "list the checks instead");
  add("json", po::bool_switch(&is_json), "as JSON");
  positional.add("file", 1);
}

}  // namespace sluice::validate
