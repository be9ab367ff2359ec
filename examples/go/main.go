// Publishes visits to Vigie. Standard input: one JSON object a line, with user, uai, service, profile and, where a line may be sent again, id.
package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	servers, topic, project, secret := os.Args[1], os.Args[2], os.Args[3], os.Getenv("ENT_SECRET")
	client, err := kgo.NewClient( // acks=all and idempotence are franz-go's defaults
		kgo.SeedBrokers(strings.Split(servers, ",")...), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // murmur2 of the key, as Java's
		kgo.MaxBufferedRecords(50_000), kgo.RecordDeliveryTimeout(2*time.Minute), kgo.ProducerLinger(30*time.Millisecond))
	exitOn(err)
	var delivered, failed atomic.Int64
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var use struct{ ID, User, UAI, Service, Profile string }
		exitOn(json.Unmarshal(lines.Bytes(), &use))
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(use.User))
		visitor := hex.EncodeToString(mac.Sum(nil))
		if use.ID == "" {
			use.ID = rand.Text() // the same again for the same event
		}
		event, err := json.Marshal(map[string]any{"v": 1, "id": use.ID, "ts": time.Now().UnixMilli(), "project": project, "uai": use.UAI,
			"service": use.Service, "profile": use.Profile, "visitor": visitor})
		exitOn(err)
		// Waits while the buffer is full: what then still fails is told to the function, once an event.
		client.Produce(context.Background(), &kgo.Record{Key: []byte(visitor), Value: event}, func(_ *kgo.Record, err error) {
			if err == nil {
				delivered.Add(1)
			} else {
				failed.Add(1)
				fmt.Fprintln(os.Stderr, "keep and send again, with the same id:", use.ID, err)
			}
		})
	}
	exitOn(lines.Err())
	exitOn(client.Flush(context.Background()))
	fmt.Fprintln(os.Stderr, delivered.Load(), "delivered,", failed.Load(), "failed")
	if failed.Load() > 0 {
		os.Exit(1)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
