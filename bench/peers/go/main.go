// franz-go as its documentation says: a client, PollFetches, EachRecord; encoding/json. With PEER_RAW=1 nothing is decoded: the limit.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type visit struct {
	Ts      int64  `json:"ts"`
	Uai     string `json:"uai"`
	Service string `json:"service"`
}

type key struct {
	minute               int64
	departement, service string
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/twmb/franz-go" {
			return module.Version
		}
	}
	return "unknown"
}

func main() {
	events, err := strconv.Atoi(os.Getenv("PEER_EVENTS"))
	if err != nil {
		panic(err)
	}
	raw := os.Getenv("PEER_RAW") == "1"
	began, cpu := time.Now(), cpuSeconds()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Getenv("PEER_SERVERS")),
		kgo.ConsumeTopics(os.Getenv("PEER_TOPIC")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		panic(err)
	}
	counts, read := map[key]int{}, 0
	for read < events {
		fetches := client.PollFetches(context.Background())
		if errs := fetches.Errors(); len(errs) > 0 {
			panic(errs[0].Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			read++
			if raw {
				return
			}
			var one visit
			if err := json.Unmarshal(record.Value, &one); err != nil {
				panic(err)
			}
			counts[key{one.Ts / 60_000, one.Uai[:3], one.Service}]++
		})
	}
	wall, spent := time.Since(began).Seconds(), cpuSeconds()-cpu
	rows := [][]any{}
	for k, number := range counts {
		rows = append(rows, []any{k.minute, k.departement, k.service, number})
	}
	result, err := json.Marshal(map[string]any{
		"wall_seconds": wall, "cpu_seconds": spent, "read": read, "counts": rows,
		"versions": map[string]string{"franz-go": version(), "Go": runtime.Version()},
	})
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(os.Getenv("PEER_OUT"), result, 0o644); err != nil {
		panic(err)
	}
	fmt.Println("done")
}
