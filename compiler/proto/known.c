/* compiler/proto/known.c: what the files of google/protobuf declare that everybody imports.
 *
 * Names and numbers as they are documented; how these messages are spelled in JSON plays no part.
 */
#include "compiler/proto/proto_int.h"

#define HEAD             "syntax = \"proto3\"; package google.protobuf; "
#define WRAP(name, type) "message " name "Value { " type " value = 1; } "

static const struct {
    const char *path, *text;
} known[] = {
    {"google/protobuf/timestamp.proto",
     HEAD "message Timestamp { int64 seconds = 1; int32 nanos = 2; }"},
    {"google/protobuf/duration.proto",
     HEAD "message Duration { int64 seconds = 1; int32 nanos = 2; }"},
    {"google/protobuf/empty.proto", HEAD "message Empty { }"},
    {"google/protobuf/any.proto", HEAD "message Any { string type_url = 1; bytes value = 2; }"},
    {"google/protobuf/field_mask.proto", HEAD "message FieldMask { repeated string paths = 1; }"},
    {"google/protobuf/wrappers.proto",
     HEAD WRAP("Double", "double") WRAP("Float", "float") WRAP("Int64", "int64")
         WRAP("UInt64", "uint64") WRAP("Int32", "int32") WRAP("UInt32", "uint32")
             WRAP("Bool", "bool") WRAP("String", "string") WRAP("Bytes", "bytes")},
    {"google/protobuf/struct.proto",
     HEAD "message Struct { map<string, Value> fields = 1; } "
          "message Value { oneof kind { NullValue null_value = 1; double number_value = 2; "
          "string string_value = 3; bool bool_value = 4; Struct struct_value = 5; "
          "ListValue list_value = 6; } } "
          "enum NullValue { NULL_VALUE = 0; } message ListValue { repeated Value values = 1; }"},
    {"google/protobuf/descriptor.proto", HEAD}, /* for options, which are passed over */
};

Str proto__known(Str path)
{
    if (str_is(path, PROTO_SPARKPLUG)) return proto__sparkplug();
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (str_is(path, known[i].path)) return str_from(known[i].text);
    return STR("");
}
