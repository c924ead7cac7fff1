/* compiler/proto/sparkplug.c: a payload of Sparkplug B as a message, for `as sparkplug`.
 *
 * Names and numbers as the specification has them (3.0, section 6.4). Everything is optional, as in
 * proto2, so a type says itself what must be there. */
#include "compiler/proto/proto_int.h"

/* A message's fields in a block. */
/* clang-format off */

/* The members of a value, which begin at another number in each message. */
#define VALUE(a, b, c, d, e, f) \
    "uint32 int_value = " a "; uint64 long_value = " b "; float float_value = " c "; " \
    "double double_value = " d "; bool boolean_value = " e "; string string_value = " f "; "

static const char sparkplug[] =
    "syntax = \"proto2\"; package sparkplug; "

    "message Payload { optional uint64 timestamp = 1; repeated Metric metrics = 2; "
    "optional uint64 seq = 3; optional string uuid = 4; optional bytes body = 5; } "

    "message Metric { optional string name = 1; optional uint64 alias = 2; "
    "optional uint64 timestamp = 3; optional uint32 datatype = 4; optional bool is_historical = 5; "
    "optional bool is_transient = 6; optional bool is_null = 7; optional MetaData metadata = 8; "
    "optional PropertySet properties = 9; "
    "oneof value { " VALUE("10", "11", "12", "13", "14", "15")
    "bytes bytes_value = 16; DataSet dataset_value = 17; Template template_value = 18; } } "

    "message MetaData { optional bool is_multi_part = 1; optional string content_type = 2; "
    "optional uint64 size = 3; optional uint64 seq = 4; optional string file_name = 5; "
    "optional string file_type = 6; optional string md5 = 7; optional string description = 8; } "

    "message PropertySet { repeated string keys = 1; repeated PropertyValue values = 2; } "
    "message PropertySetList { repeated PropertySet propertyset = 1; } "
    "message PropertyValue { optional uint32 type = 1; optional bool is_null = 2; "
    "oneof value { " VALUE("3", "4", "5", "6", "7", "8")
    "PropertySet propertyset_value = 9; PropertySetList propertysets_value = 10; } } "

    "message DataSet { optional uint64 num_of_columns = 1; repeated string columns = 2; "
    "repeated uint32 types = 3; repeated Row rows = 4; } "
    "message Row { repeated DataSetValue elements = 1; } "
    "message DataSetValue { oneof value { " VALUE("1", "2", "3", "4", "5", "6") "} } "

    "message Template { optional string version = 1; repeated Metric metrics = 2; "
    "repeated Parameter parameters = 3; optional string template_ref = 4; "
    "optional bool is_definition = 5; } "
    "message Parameter { optional string name = 1; optional uint32 type = 2; "
    "oneof value { " VALUE("3", "4", "5", "6", "7", "8") "} }";
/* clang-format on */

Str proto__sparkplug(void)
{
    return str_from(sparkplug);
}
