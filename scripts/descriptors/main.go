// Writes the descriptors of the Temporal API that this module is pinned to, as one FileDescriptorSet,
// to standard output. The engine links the same module, so this is exactly what the engine understands.
package main

import (
	"os"
	"sort"

	_ "go.temporal.io/api/errordetails/v1"
	_ "go.temporal.io/api/operatorservice/v1"
	_ "go.temporal.io/api/workflowservice/v1"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	_ "google.golang.org/grpc/health/grpc_health_v1"
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1"
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

func main() {
	files := map[string]protoreflect.FileDescriptor{}
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if _, seen := files[file.Path()]; seen {
			return
		}
		files[file.Path()] = file
		for i := 0; i < file.Imports().Len(); i++ {
			add(file.Imports().Get(i).FileDescriptor)
		}
	}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		add(file)
		return true
	})
	var paths []string
	for path := range files {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	set := &descriptorpb.FileDescriptorSet{}
	done := map[string]bool{}
	var emit func(string)
	emit = func(path string) {
		if done[path] {
			return
		}
		done[path] = true
		file := files[path]
		for i := 0; i < file.Imports().Len(); i++ {
			emit(file.Imports().Get(i).Path())
		}
		described := protodesc.ToFileDescriptorProto(file)
		described.SourceCodeInfo = nil
		set.File = append(set.File, described)
	}
	for _, path := range paths {
		emit(path)
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		panic(err)
	}
	if _, err := os.Stdout.Write(bytes); err != nil {
		panic(err)
	}
}
