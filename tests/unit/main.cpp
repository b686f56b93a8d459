// The main of every test executable: googletest under the locale of the environment.

#include <gtest/gtest.h>

#include <clocale>
#include <cstdio>
#include <locale>
#include <stdexcept>

int main(int argc, char** argv) {
  // Numbers have to be read and written alike when a library has set the user's locale.
  try {
    std::locale::global(std::locale(""));
  } catch (const std::runtime_error&) {
    if (std::setlocale(LC_ALL, "") == nullptr) {
      std::fputs("The locale of the environment does not exist; set LC_ALL=C.\n", stderr);
      return 1;
    }
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
