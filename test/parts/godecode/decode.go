package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	_ "go.temporal.io/api/operatorservice/v1"
	_ "go.temporal.io/api/update/v1"
	_ "go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

type rolesByDirection struct {
	Request  map[protoreflect.FullName]int `json:"request"`
	Response map[protoreflect.FullName]int `json:"response"`
	// Roles of a map that its entries have; others are those of its keys.
	Entries []int `json:"entries"`
}

// What the engine would see.
type found struct {
	// Why it would refuse; empty if it would not.
	Error string `json:"error,omitempty"`
	// Service and method by the rules of grpc-go, and the type of the message.
	Method string `json:"method,omitempty"`
	Type   string `json:"type,omitempty"`
	// Fields with a role, "role:number:hex", and "role:number:message" for messages.
	Mentions []string `json:"mentions"`
	// Fields that this API does not know, "number:hex" of all that follows the tag.
	Unknown []string `json:"unknown"`
}

func answer(frame []byte, roles rolesByDirection) *found {
	result := &found{Mentions: []string{}, Unknown: []string{}}
	pathLength := int(binary.BigEndian.Uint16(frame[1:3]))
	method := route(string(frame[3 : 3+pathLength]))
	if method == nil {
		result.Error = "no such method"
		return result
	}
	result.Method = fmt.Sprintf("%s/%s", method.Parent().FullName(), method.Name())
	desc, itsRoles := method.Input(), roles.Request
	if frame[0] == 1 {
		desc, itsRoles = method.Output(), roles.Response
	}
	result.Type = string(desc.FullName())
	// The generated type, so that its generated decoder runs: the one that the engine runs.
	messageType, err := protoregistry.GlobalTypes.FindMessageByName(desc.FullName())
	if err != nil {
		result.Error = err.Error()
		return result
	}
	message := messageType.New()
	if err := proto.Unmarshal(frame[3+pathLength:], message.Interface()); err != nil {
		result.Error = err.Error()
		return result
	}
	if err := (&walker{roles: itsRoles, entries: roles.Entries, found: result}).message(message); err != nil {
		result.Error = err.Error()
	}
	return result
}

// Finds a method by its HTTP/2 path as grpc-go's server does.
func route(path string) protoreflect.MethodDescriptor {
	path = strings.TrimPrefix(path, "/")
	slash := strings.LastIndex(path, "/")
	if slash < 0 {
		return nil
	}
	desc, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(path[:slash]))
	if err != nil {
		return nil
	}
	service, isService := desc.(protoreflect.ServiceDescriptor)
	if !isService {
		return nil
	}
	return service.Methods().ByName(protoreflect.Name(path[slash+1:]))
}

const blob = protoreflect.FullName("temporal.api.common.v1.DataBlob.data")

type walker struct {
	roles   map[protoreflect.FullName]int
	entries []int
	found   *found
}

func (w *walker) note(role int, number protoreflect.FieldNumber, value string) {
	if role != 0 {
		w.found.Mentions = append(w.found.Mentions, fmt.Sprintf("%d:%d:%s", role, number, value))
	}
}

func (w *walker) message(message protoreflect.Message) error {
	if holder, isAny := message.Interface().(*anypb.Any); isAny {
		return w.any(holder)
	}
	var failure error
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		failure = w.field(field, value)
		return failure == nil
	})
	if failure != nil {
		return failure
	}
	return w.unknown(message.GetUnknown())
}

func (w *walker) field(field protoreflect.FieldDescriptor, value protoreflect.Value) error {
	role := w.roles[field.FullName()]
	if field.IsList() {
		for i := 0; i < value.List().Len(); i++ {
			if err := w.value(role, field, value.List().Get(i)); err != nil {
				return err
			}
		}
		return nil
	}
	if !field.IsMap() {
		return w.value(role, field, value)
	}
	var failure error
	value.Map().Range(func(key protoreflect.MapKey, inner protoreflect.Value) bool {
		if slices.Contains(w.entries, role) {
			w.note(role, field.Number(), "message")
		} else {
			w.note(role, 1, hex.EncodeToString([]byte(key.String())))
		}
		w.note(w.roles[field.FullName()+"#value"], 2, "message")
		if field.MapValue().Message() != nil {
			failure = w.message(inner.Message())
		}
		return failure == nil
	})
	return failure
}

func (w *walker) value(role int, field protoreflect.FieldDescriptor, value protoreflect.Value) error {
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		w.note(role, field.Number(), "message")
		return w.message(value.Message())
	case protoreflect.StringKind:
		w.note(role, field.Number(), hex.EncodeToString([]byte(value.String())))
	case protoreflect.BytesKind:
		w.note(role, field.Number(), hex.EncodeToString(value.Bytes()))
		if field.FullName() == blob {
			return w.blob(value.Bytes())
		}
	default:
		w.note(role, field.Number(), "number")
	}
	return nil
}

// A piece of history, the only blob that a tenant may get.
func (w *walker) blob(content []byte) error {
	messageType, err := protoregistry.GlobalTypes.FindMessageByName("temporal.api.history.v1.History")
	if err != nil {
		return err
	}
	history := messageType.New()
	if err := proto.Unmarshal(content, history.Interface()); err != nil {
		return err
	}
	return w.message(history)
}

func (w *walker) any(holder *anypb.Any) error {
	if err := w.unknown(holder.ProtoReflect().GetUnknown()); err != nil || holder.GetTypeUrl() == "" {
		return err
	}
	inner, err := holder.UnmarshalNew()
	if err != nil {
		return err
	}
	return w.message(inner.ProtoReflect())
}

func (w *walker) unknown(raw []byte) error {
	for len(raw) > 0 {
		number, wireType, tagLength := protowire.ConsumeTag(raw)
		if tagLength < 0 {
			return protowire.ParseError(tagLength)
		}
		valueLength := protowire.ConsumeFieldValue(number, wireType, raw[tagLength:])
		if valueLength < 0 {
			return protowire.ParseError(valueLength)
		}
		value := hex.EncodeToString(raw[tagLength : tagLength+valueLength])
		w.found.Unknown = append(w.found.Unknown, fmt.Sprintf("%d:%s", number, value))
		raw = raw[tagLength+valueLength:]
	}
	return nil
}
